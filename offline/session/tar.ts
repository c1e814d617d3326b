import { createReadStream, readFileSync } from "node:fs"
import { posix } from "node:path"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { extract, type Headers, pack } from "tar-stream"
import { readAll } from "./docker.js"
import type { Entry } from "./manifest.js"
import { LARGE, type Store } from "./store.js"

/** All files get this time (2000-01-01), so that what is made of them depends on nothing but their content. */
export const TIME = new Date(946684800000)

/** Entries as a tar archive, their content from the store. */
export function packTar(store: Store, entries: readonly Entry[]): Readable {
  const archive = pack()
  const write = async () => {
    for (const entry of entries) await packEntry(store, archive, entry)
    archive.finalize()
  }
  write().catch(error => archive.destroy(error))
  return archive as never
}

async function packEntry(store: Store, archive: ReturnType<typeof pack>, entry: Entry): Promise<void> {
  const { path: name, type, mode, uid, gid, size, target } = entry
  const header: Headers = { name, type, mode, uid, gid, mtime: TIME }
  if (type === "symlink") header.linkname = target ?? ""
  if (type !== "file" || !size) {
    archive.entry(header, "")
    return
  }
  const path = store.blobPath(entry.sha ?? "")
  if (size >= LARGE) return pipeline(createReadStream(path), archive.entry({ ...header, size }))
  await new Promise<void>((resolve, reject) => {
    archive.entry({ ...header, size }, error => (error ? reject(error) : resolve())).end(readFileSync(path))
  })
}

/**
 * Reads a tar archive into the store and gives its entries, with `strip` leading names of each path cut off. Devices and
 * sockets are left out.
 */
export async function unpackTar(store: Store, tar: Readable, strip: number): Promise<Entry[]> {
  const entries = new Map<string, Entry>()
  for await (const part of openTar(tar)) {
    const { type, mode = 0, uid = 0, gid = 0, linkname } = part.header
    const path = stripped(part.header.name, strip)
    const common = { path, mode: mode & 0o7777, uid, gid }
    if (type === "file" || type === "contiguous-file") {
      const content = part as never as Readable
      const large = (part.header.size ?? 0) >= LARGE
      const blob = large ? await store.putStream(content) : store.putBuffer(await readAll(content))
      entries.set(path, { ...common, type: "file", ...blob })
      continue
    }
    part.resume()
    if (path === "") continue
    if (type === "directory") entries.set(path, { ...common, type })
    if (type === "symlink") entries.set(path, { ...common, type, target: linkname ?? "" })
    const linked = type === "link" && entries.get(stripped(linkname ?? "", strip))
    if (linked) entries.set(path, { ...linked, path })
  }
  return [...entries.values()]
}

function openTar(tar: Readable) {
  const reader = extract()
  tar.once("error", error => reader.destroy(error))
  tar.pipe(reader as never)
  return reader
}

function stripped(name: string, strip: number): string {
  const names = posix.resolve("/", name).split("/").slice(1)
  return names.slice(strip).join("/")
}
