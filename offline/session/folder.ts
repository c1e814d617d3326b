import { lstatSync, readdirSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import type { Entry } from "./manifest.js"
import { matcher } from "./patterns.js"
import type { Store } from "./store.js"

/** A file of a folder as a listing shows it. */
export interface Seen {
  path: string
  mode: number
  uid: number
  gid: number
  /** Another one when the file was touched since: its inode, size and times. */
  stamp: string
  /** When it was last touched, in milliseconds since 1970. */
  touched: number
}

/** Entries known by path, each true as long as the file has the stamp. */
export type Known = Map<string, { stamp: string; entry: Entry }>

/**
 * Lists everything under a folder but what patterns exclude. Excluded folders aren't entered, unless a pattern with "!" may
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

/** Reads listed files into the store, but for those that are known by their stamp. */
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
