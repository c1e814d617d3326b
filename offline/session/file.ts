import { exportFile } from "./export.js"
import { directoryEntry } from "./manifest.js"
import type { Field, Fields } from "./session.js"
import { keyOf } from "./store.js"
import { toText } from "./text.js"
import type { FileValue } from "./values.js"

/** Query.file: a new one. */
export const file: Field = (session, _, { name, contents, permissions }): FileValue => {
  const blob = session.store.putBuffer(contents)
  return { name, entry: { ...directoryEntry(""), ...blob, type: "file", mode: permissions ?? 0o644 } }
}

/** Fields of File. */
export const fileFields: Fields[string] = {
  contents: (session, { entry }: FileValue, { offsetLines, limitLines }) => {
    const text = toText(session.store.read(entry.sha))
    const from = offsetLines ?? 0
    const to = from + (limitLines ?? Number.POSITIVE_INFINITY)
    return from === 0 && to === Number.POSITIVE_INFINITY
      ? text
      : text
          .split(/(?<=\n)/)
          .slice(from, to)
          .join("")
  },
  name: (_, { name }: FileValue) => name,
  size: (_, { entry }: FileValue) => entry.size,
  digest: (_, { entry }: FileValue, { excludeMetadata }) =>
    `sha256:${excludeMetadata ? entry.sha : keyOf(entry.sha, entry.mode, entry.uid, entry.gid)}`,
  sync: () => undefined,
  withName: (_, value: FileValue, { name }) => ({ ...value, name }),
  export: exportFile,
}
