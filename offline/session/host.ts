import { statSync } from "node:fs"
import { basename, resolve } from "node:path"
import { notFound, UserError } from "./errors.js"
import { type Known, listFolder, readFolder, type Seen } from "./folder.js"
import type { Manifest } from "./manifest.js"
import { hostService } from "./service.js"
import type { Fields, Session } from "./session.js"
import { keyOf } from "./store.js"
import type { DirectoryValue, FileValue } from "./values.js"

/** Fields of Host: what a session may take from the machine it runs on. */
export const hostFields: Fields[string] = {
  directory: async (session, _, { path, include, exclude }): Promise<DirectoryValue> => {
    const manifest = await readTree(session, resolve(path), include, exclude)
    return { name: basename(resolve(path)), load: async () => manifest }
  },
  file: async (session, _, { path }): Promise<FileValue> => {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (!stat) throw notFound(path)
    if (!stat.isFile()) throw new UserError(`path ${path} is a directory, not a file`)
    const owner = { path: "", uid: 0, gid: 0 }
    const entry = {
      ...owner,
      type: "file",
      mode: stat.mode & 0o777,
      ...(await session.store.putFile(path)),
    } as const
    return { name: basename(path), entry }
  },
  service: hostService,
}

/** What is kept of a folder: its digest, and by which stamps its files are known. */
interface Kept {
  digest: string
  stamps: { [path: string]: string }
}

/**
 * Reads a folder of the host into the store, as root's. Files that weren't touched since the last time aren't read again;
 * one touched within the last second may be once more before the clock shows it, so it isn't taken for known.
 */
async function readTree(
  session: Session,
  root: string,
  include: string[],
  exclude: string[],
): Promise<Manifest> {
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) throw notFound(root)
  const seen = listFolder(root, exclude)
  const settled = Date.now() - 1000
  const key = keyOf("host", root, exclude)
  const kept = session.store.get<Kept>("hosts", key)
  const before = kept && session.store.getManifest(kept.digest)
  const known: Known = new Map()
  for (const entry of before?.entries ?? []) {
    known.set(entry.path, { stamp: kept?.stamps[entry.path] ?? "", entry })
  }
  const same =
    before && seen.length === known.size && seen.every(one => known.get(one.path)?.stamp === one.stamp)
  const all = same ? before : await read(session, root, seen, known)
  if (!same) {
    const stamps = seen.filter(one => one.touched < settled).map(one => [one.path, one.stamp])
    session.store.put("hosts", key, { digest: all.digest, stamps: Object.fromEntries(stamps) })
  }
  const whole = include.length + exclude.length === 0
  return whole ? all : session.store.putManifest(all.filter(include, exclude))
}

async function read(session: Session, root: string, seen: Seen[], known: Known): Promise<Manifest> {
  const entries = await readFolder(session.store, root, seen, known)
  return session.store.putManifest(
    entries.map(entry => ({ ...entry, uid: 0, gid: 0, mode: entry.mode & 0o777 })),
  )
}
