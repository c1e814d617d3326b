import { chmodSync, existsSync, lchownSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { writeTree } from "./export.js"
import { type Known, listFolder, readFolder } from "./folder.js"
import type { Entry, Manifest } from "./manifest.js"
import type { Session } from "./session.js"
import { packTar, TIME, unpackTar } from "./tar.js"

/** A volume of a container that holds a mounted directory. */
export interface FilledVolume {
  /** Reads the directory as a command left it. */
  read(): Promise<Manifest>
}

/**
 * Fills a container's empty volumes, each given by where it is mounted, with directories. Owners inside are those of the
 * directory, whoever runs the session: the daemon unpacks an archive. Root on the daemon's own machine writes into the volume's
 * folder instead, which takes a tenth of the time, and sees there what changed.
 */
export async function fillVolumes(
  session: Session,
  container: string,
  directories: Map<string, Manifest>,
): Promise<Map<string, FilledVolume>> {
  const filled = new Map<string, FilledVolume>()
  if (directories.size === 0) return filled
  const { Mounts } = await session.docker.json("GET", `/containers/${container}/json`)
  for (const [path, manifest] of directories) {
    const mount = (Mounts as { Destination: string; Source: string }[]).find(one => one.Destination === path)
    const folder = process.getuid?.() === 0 && mount && existsSync(mount.Source) ? mount.Source : undefined
    const fill = folder ? writeFolder(session, folder, manifest) : unpack(session, container, path, manifest)
    filled.set(path, await fill)
  }
  return filled
}

async function unpack(
  session: Session,
  container: string,
  path: string,
  manifest: Manifest,
): Promise<FilledVolume> {
  if (manifest.entries.length > 0) {
    const tar = packTar(session.store, manifest.entries)
    await session.docker.json("PUT", `/containers/${container}/archive`, { query: { path }, tar })
  }
  const read = async () => {
    const query = { path: `${path}/.` }
    const tar = await session.docker.open("GET", `/containers/${container}/archive`, { query })
    return session.store.putManifest(await unpackTar(session.store, tar, 0))
  }
  return { read }
}

async function writeFolder(session: Session, folder: string, manifest: Manifest): Promise<FilledVolume> {
  writeTree(session.store, manifest.entries, folder)
  for (const entry of manifest.entries) setOwner(join(folder, entry.path), entry)
  const entries = new Map(manifest.entries.map(entry => [entry.path, entry]))
  const known: Known = new Map()
  for (const { path, stamp } of listFolder(folder)) {
    const entry = entries.get(path)
    if (entry) known.set(path, { stamp, entry })
  }
  const read = async () => {
    const seen = listFolder(folder)
    const same = seen.length === known.size && seen.every(one => known.get(one.path)?.stamp === one.stamp)
    return same ? manifest : session.store.putManifest(await readFolder(session.store, folder, seen, known))
  }
  return { read }
}

/** Gives a file its owner, then its permissions (a change of owner takes some away) and its time. */
function setOwner(path: string, { type, mode, uid, gid }: Entry): void {
  lchownSync(path, uid, gid)
  if (type === "symlink") return
  chmodSync(path, mode)
  utimesSync(path, TIME, TIME)
}
