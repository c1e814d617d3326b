import { posix } from "node:path"
import { notFound, UserError } from "./errors.js"
import type { Entry, Manifest } from "./manifest.js"
import type { FileValue } from "./values.js"

/** The entries of a part of a directory; `shown` is the path that errors name. Throws where there is none. */
export function directoryIn(manifest: Manifest, path: string, shown: string): Entry[] {
  const entry = manifest.find(path)
  if (path !== "" && !entry) throw notFound(shown)
  if (entry && entry.type !== "directory") throw new UserError(`path ${shown} is a file, not a directory`)
  return manifest.under(path)
}

/** A file of a directory; `shown` is the path that errors name. Throws where there is none. */
export function fileIn(manifest: Manifest, path: string, shown: string): FileValue {
  const entry = manifest.find(path)
  if (path !== "" && !entry) throw notFound(shown)
  if (entry?.type !== "file") throw new UserError(`path ${shown} is a directory, not a file`)
  return { name: posix.basename(path), entry: entry as FileValue["entry"] }
}
