import { lstatSync, mkdirSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { UserError } from "./errors.js"
import { writeEntry } from "./export.js"
import { directoryEntry } from "./manifest.js"
import type { Field, Fields } from "./session.js"
import type { FileValue } from "./values.js"

/** Query.file: a new one. */
export const file: Field = (session, _, { name, contents, permissions }): FileValue => {
  const blob = session.store.putBuffer(contents)
  return { name, entry: { ...directoryEntry(""), ...blob, type: "file", mode: permissions ?? 0o644 } }
}

/** File.export: writes the file to the host, into `path` if that is a directory and the caller allows it. */
export const exportFile: Field = (session, { name, entry }: FileValue, { path, allowParentDirPath }) => {
  let target = resolve(path)
  if (lstatSync(target, { throwIfNoEntry: false })?.isDirectory()) {
    if (!allowParentDirPath) {
      throw new UserError(`destination ${path} is a directory: allowParentDirPath writes the file into it`)
    }
    target = join(target, name)
  }
  mkdirSync(dirname(target), { recursive: true })
  writeEntry(session.store, { ...entry, path: "" }, target)
  return target
}

/** Fields of File. */
export const fileFields: Fields[string] = {
  contents: (session, { entry }: FileValue) => session.store.read(entry.sha).toString(),
  name: (_, { name }: FileValue) => name,
  size: (_, { entry }: FileValue) => entry.size,
  sync: () => undefined,
  export: exportFile,
}
