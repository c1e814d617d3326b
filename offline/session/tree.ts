import {
  chmodSync,
  createReadStream,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { extract, type Headers, pack } from "tar-stream"
import { readAll } from "./docker.js"
import { clean, type Entry, matcher } from "./manifest.js"
import { LARGE, type Store } from "./store.js"

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

/** A file of a folder as a listing shows it. */
export interface Seen {
  path: string
  mode: number
  uid: number
  gid: number
  /** Changes when the file is touched: its inode, size and times. */
  stamp: string
  /** When it was last touched, in milliseconds since 1970. */
  touched: number
}

/** Entries known by path, each true as long as the file has the stamp. */
export type Known = Map<string, { stamp: string; entry: Entry }>

/**
 * Lists everything under a folder except what patterns exclude. Excluded folders aren't entered, unless a pattern with "!" may
 * want part of one. Devices and sockets are left out.
 */
export function listFolder(root: string, exclude: string[] = []): Seen[] {
  const unwanted = exclude.some(pattern => pattern.startsWith("!")) ? () => false : matcher(exclude)
  const seen: Seen[] = []
  const visit = (folder: string) => {
    for (const name of readdirSync(join(root, folder))) {
      const path = folder === "" ? name : `${folder}/${name}`
      if (exclude.length > 0 && unwanted(path)) continue
      const stat = lstatSync(join(root, path), { bigint: true, throwIfNoEntry: false })
      if (!stat || !(stat.isFile() || stat.isDirectory() || stat.isSymbolicLink())) continue
      const stamp = [stat.ino, stat.size, stat.mode, stat.mtimeNs, stat.ctimeNs].join()
      const [mode, uid, gid] = [Number(stat.mode), Number(stat.uid), Number(stat.gid)]
      seen.push({ path, mode, uid, gid, stamp, touched: Number(stat.ctimeMs) })
      if (stat.isDirectory()) visit(path)
    }
  }
  visit("")
  return seen
}

/** Reads listed files into the store, except those that are known by their stamp. */
export async function readFolder(store: Store, root: string, seen: Seen[], known: Known): Promise<Entry[]> {
  const entries: Entry[] = []
  for (const one of seen) {
    const before = known.get(one.path)
    entries.push(before?.stamp === one.stamp ? before.entry : await readEntry(store, root, one))
  }
  return entries
}

async function readEntry(store: Store, root: string, { path, mode, uid, gid }: Seen): Promise<Entry> {
  const common = { path, mode: mode & 0o7777, uid, gid }
  const kind = mode & 0o170000
  if (kind === 0o040000) return { ...common, type: "directory" }
  if (kind === 0o120000) return { ...common, type: "symlink", target: readlinkSync(join(root, path)) }
  return { ...common, type: "file", ...(await store.putFile(join(root, path))) }
}

/** All files get this time (2000-01-01), so that results depend only on their content. */
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
 * Reads a tar archive into the store and gives its entries, except devices and sockets.
 */
export async function unpackTar(store: Store, tar: Readable): Promise<Entry[]> {
  const entries = new Map<string, Entry>()
  const archive = extract()
  tar.once("error", error => archive.destroy(error)).pipe(archive as never)
  for await (const part of archive) {
    const { type, mode = 0, uid = 0, gid = 0, linkname } = part.header
    const path = clean(part.header.name)
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
    const linked = type === "link" && entries.get(clean(linkname ?? ""))
    if (linked) entries.set(path, { ...linked, path })
  }
  return [...entries.values()]
}
