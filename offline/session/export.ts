import { chmodSync, lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { UserError } from "./errors.js"
import type { Entry } from "./manifest.js"
import type { Field } from "./session.js"
import type { Store } from "./store.js"
import type { DirectoryValue, FileValue } from "./values.js"

/** Directory.export: writes the files over a directory of the host (in its stead, with `wipe`); gives its path. */
export const exportDirectory: Field = async (session, parent: DirectoryValue, { path, wipe }) => {
  const { entries } = await parent.load()
  const target = resolve(path)
  if (wipe) rmSync(target, { recursive: true, force: true })
  writeTree(session.store, entries, target)
  return target
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

/** Writes entries under a folder of the host, which is made if there is none. */
export function writeTree(store: Store, entries: readonly Entry[], folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const entry of entries) writeEntry(store, entry, join(folder, entry.path))
  // Only now: a directory may be one that nothing can be written to.
  for (const { type, path, mode } of entries)
    if (type === "directory") chmodSync(join(folder, path), mode & 0o777)
}

function writeEntry(store: Store, entry: Entry, path: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there && !(entry.type === "directory" && there.isDirectory())) rmSync(path, { recursive: true })
  if (entry.type === "symlink") {
    symlinkSync(entry.target ?? "", path)
    return
  }
  if (entry.type === "directory") {
    mkdirSync(path, { recursive: true })
    return
  }
  store.copyBlob(entry.sha ?? "", path)
  chmodSync(path, entry.mode & 0o777)
}
