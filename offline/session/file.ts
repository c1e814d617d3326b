import { exportFile } from "./export.js"
import { directoryEntry } from "./manifest.js"
import type { Field, Fields } from "./session.js"
import type { FileValue } from "./values.js"

/** Query.file: a new one. */
export const file: Field = (session, _, { name, contents, permissions }): FileValue => {
  const blob = session.store.putBuffer(contents)
  return { name, entry: { ...directoryEntry(""), ...blob, type: "file", mode: permissions ?? 0o644 } }
}

/** Fields of File. */
export const fileFields: Fields[string] = {
  contents: (session, { entry }: FileValue) => session.store.read(entry.sha).toString(),
  name: (_, { name }: FileValue) => name,
  size: (_, { entry }: FileValue) => entry.size,
  sync: () => undefined,
  export: exportFile,
}
