import { chmodSync, lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import type { Entry } from "./manifest.js"
import type { Store } from "./store.js"

/** Writes entries under a folder of the host, which is made if there is none. */
export function writeTree(store: Store, entries: readonly Entry[], folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const entry of entries) writeEntry(store, entry, join(folder, entry.path))
  // Only now: a directory may be one that nothing can be written to.
  for (const { type, path, mode } of entries)
    if (type === "directory") chmodSync(join(folder, path), mode & 0o777)
}

/** Writes one entry in place of what is there. */
export function writeEntry(store: Store, entry: Entry, path: string): void {
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
