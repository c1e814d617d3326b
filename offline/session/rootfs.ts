import { lstatSync } from "node:fs"
import { join, posix } from "node:path"
import { DockerError } from "./docker.js"
import { notFound, UserError } from "./errors.js"
import {
  bareImage,
  changedLayers,
  folderOfChanges,
  foldersOf,
  hasLayers,
  idleContainer,
  readerOf,
} from "./image.js"
import { clean, type Entry, type FileValue, type Manifest } from "./manifest.js"
import type { ContainerValue, DirectoryValue, Mount, Session } from "./session.js"
import { keyOf } from "./store.js"
import { packTar, unpackTar } from "./tree.js"

/** A path of the API as an absolute one: relative to the working directory. */
export function inContainer(container: ContainerValue, path: string): string {
  return posix.resolve("/", container.config.WorkingDir ?? "", path)
}

/** The container with entries put at a path, in the mounted directory if the path is in one. */
export function putFiles(
  session: Session,
  container: ContainerValue,
  at: string,
  put: Entry[],
): ContainerValue {
  const mount = mountAt(container, at)
  if (mount) return remount(session, container, mount, at, (manifest, inside) => manifest.with(inside, put))
  const moved = put.map(entry => ({ ...entry, path: clean(posix.join(at, entry.path)) }))
  return { ...container, edits: [...container.edits, ...moved] }
}

/** The container with a file at a path. */
export function putFile(
  session: Session,
  container: ContainerValue,
  path: string,
  file: Omit<Entry, "path">,
): ContainerValue {
  return putFiles(session, container, posix.dirname(path), [{ ...file, path: posix.basename(path) }])
}

/** The container without what was put at a path. What its layers have stays: they can't be changed through the daemon. */
export async function removeFiles(
  session: Session,
  container: ContainerValue,
  path: string,
): Promise<ContainerValue> {
  const mount = mountAt(container, path)
  if (mount) return remount(session, container, mount, path, (manifest, inside) => manifest.without(inside))
  if (await inLayers(session, container, path)) {
    throw new UserError(
      `${path} is in the image or was made by a command: offline, only files that were added to a container can be removed. ` +
        "Remove it with a command.",
    )
  }
  const gone = clean(path)
  const edits = container.edits.filter(one => one.path !== gone && !one.path.startsWith(`${gone}/`))
  return { ...container, edits }
}

function remount(
  session: Session,
  container: ContainerValue,
  mount: Mount,
  path: string,
  change: (manifest: Manifest, inside: string) => Entry[],
): ContainerValue {
  if (mount.kind !== "directory")
    throw new UserError(`${path}: files can't be changed in a mounted ${mount.kind}`)
  const entries = change(mount.manifest, path.slice(mount.path.length))
  const after: Mount = { ...mount, manifest: session.store.putManifest(entries) }
  return { ...container, mounts: container.mounts.map(one => (one === mount ? after : one)) }
}

/** The file at a path of a container. Throws if there is none. */
export async function readAt(session: Session, container: ContainerValue, path: string): Promise<FileValue> {
  const absolute = inContainer(container, path)
  const mount = mountAt(container, absolute)
  if (!mount) return readFile(session, container, absolute)
  return mountedDirectory(mount, absolute).manifest.file(absolute.slice(mount.path.length), absolute)
}

/** The directory at a path of a container, read when somebody asks for what is in it. */
export function directoryAt(session: Session, container: ContainerValue, path: string): DirectoryValue {
  const absolute = inContainer(container, path)
  const mount = mountAt(container, absolute)
  const name = posix.basename(absolute)
  if (!mount) {
    const origin = { container, path: absolute }
    return { name, origin, load: () => readDirectory(session, container, absolute) }
  }
  const { manifest } = mountedDirectory(mount, absolute)
  const entries = manifest.under(absolute.slice(mount.path.length), absolute)
  return { name, load: async () => session.store.putManifest(entries) }
}

function mountedDirectory(mount: Mount, path: string) {
  if (mount.kind === "directory") return mount
  throw new UserError(`${path}: files can't be read from a mounted ${mount.kind}`)
}

/** The mount that a path is in: the innermost. */
function mountAt(container: ContainerValue, path: string): Mount | undefined {
  const around = container.mounts.filter(mount => `${path}/`.startsWith(`${mount.path}/`))
  return around.sort((a, b) => b.path.length - a.path.length)[0]
}

/** A directory as a mount of all files of an image, if it is that, and nothing need be read for it. */
export async function wholeImage(
  session: Session,
  { origin }: DirectoryValue,
): Promise<{ kind: "image"; layers: string[]; folders: string[] } | undefined> {
  if (origin?.path !== "/") return undefined
  const { layers, platform } = await settle(session, origin.container)
  const folders = await foldersOf(session, await bareImage(session, layers, platform))
  return folders && { kind: "image", layers, folders }
}

/** The container with its edits made into a layer: the daemon unpacks them over its files, so links are followed. */
export async function settle(session: Session, container: ContainerValue): Promise<ContainerValue> {
  const { layers: below, edits, platform } = container
  if (edits.length === 0) return container
  const key = keyOf("edit", below, platform, edits)
  const layers = await session.once(`edit ${key}`, async () => {
    const known = session.store.get<string[]>("edits", key)
    if (known && (await hasLayers(session, known, platform))) return known
    const id = await idleContainer(session, await bareImage(session, below, platform))
    const tar = packTar(session.store, edits)
    await session.docker.json("PUT", `/containers/${id}/archive`, { query: { path: "/" }, tar })
    const above = await changedLayers(session, id, { ...container, mounts: [] })
    session.later(session.docker.json("DELETE", `/containers/${id}`, { query: { force: true } }))
    session.store.put("edits", key, above)
    return above
  })
  return { ...container, layers, edits: [] }
}

/** True if the container's layers, its edits aside, have something at a path. */
export async function inLayers(session: Session, container: ContainerValue, path: string): Promise<boolean> {
  const reader = await readerOf(session, await bareImage(session, container.layers, container.platform))
  try {
    const found = await session.docker.open("HEAD", `/containers/${reader}/archive`, { query: { path } })
    found.resume()
    return true
  } catch (error) {
    if (error instanceof DockerError && error.status === 404) return false
    throw error
  }
}

/** Reads a directory of the container's root file system. */
export async function readDirectory(
  session: Session,
  container: ContainerValue,
  path: string,
): Promise<Manifest> {
  const { layers, platform } = await settle(session, container)
  const key = keyOf("tree", layers, path)
  return session.once(`tree ${key}`, async () => {
    const known = session.store.get<string>("trees", key)
    const kept = known && session.store.getManifest(known)
    if (kept) return kept
    const reader = await readerOf(session, await bareImage(session, layers, platform))
    const tar = await openPath(session, reader, path === "/" ? "/." : `${path}/.`, path)
    const entries = await unpackTar(session.store, tar)
    const own = path === "/" ? entries.filter(entry => entry.path !== ".dockerenv") : entries
    const manifest = session.store.putManifest(own)
    session.store.put("trees", key, manifest.digest)
    return manifest
  })
}

/** Reads a file of the container's root file system. */
export async function readFile(
  session: Session,
  container: ContainerValue,
  path: string,
): Promise<FileValue> {
  const { layers, platform } = await settle(session, container)
  const key = keyOf("file", layers, path)
  return session.once(`file ${key}`, async () => {
    const known = session.store.get<FileValue>("files", key)
    if (known) return known
    const image = await bareImage(session, layers, platform)
    const entry = (await inTopLayer(session, image, path)) ?? (await throughDaemon(session, image, path))
    const file = { name: posix.basename(path), entry } as FileValue
    session.store.put("files", key, file)
    return file
  })
}

/**
 * A file of an image's last layer, such as one that a command has just written: root on the daemon's own machine finds it in that layer's
 * folder. Undefined if the daemon has to be asked: for other files, and if there are links in the path.
 */
async function inTopLayer(session: Session, image: string, path: string): Promise<Entry | undefined> {
  const { GraphDriver } = await session.docker.json("GET", `/images/${image}/json`)
  const layer = folderOfChanges(GraphDriver)
  if (layer === undefined) return undefined
  const names = clean(path).split("/")
  const stats = names.map((_, index) =>
    lstatSync(join(layer, ...names.slice(0, index + 1)), { throwIfNoEntry: false }),
  )
  const stat = stats.pop()
  if (!stat?.isFile() || !stats.every(folder => folder?.isDirectory())) return undefined
  const blob = await session.store.putFile(join(layer, ...names))
  return {
    path: posix.basename(path),
    type: "file",
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    ...blob,
  }
}

async function throughDaemon(session: Session, image: string, path: string): Promise<Entry> {
  const reader = await readerOf(session, image)
  const [entry] = await unpackTar(session.store, await openFile(session, reader, path))
  if (entry?.type !== "file") throw new UserError(`path ${path} is not a regular file`)
  return entry
}

async function openFile(session: Session, reader: string, path: string, from = path) {
  const tar = await openPath(session, reader, from, path)
  const stat = tar.headers["x-docker-container-path-stat"] as string
  const { mode, linkTarget } = JSON.parse(Buffer.from(stat, "base64").toString())
  if (linkTarget && linkTarget !== from) {
    tar.destroy()
    return openFile(session, reader, path, linkTarget)
  }
  if (mode < GO_DIRECTORY) return tar
  tar.destroy()
  throw new UserError(`path ${path} is a directory, not a file`)
}

/** The bit of Go's file modes that says "directory": the highest. */
const GO_DIRECTORY = 2 ** 31

async function openPath(session: Session, reader: string, path: string, asked: string) {
  try {
    return await session.docker.open("GET", `/containers/${reader}/archive`, { query: { path } })
  } catch (error) {
    if (!(error instanceof DockerError)) throw error
    if (error.status === 404) throw notFound(asked)
    if (/not a directory/.test(error.message)) throw new UserError(`path ${asked} is a file, not a directory`)
    throw error
  }
}
