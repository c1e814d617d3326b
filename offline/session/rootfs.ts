import { posix } from "node:path"
import { DockerError } from "./docker.js"
import { notFound, UserError } from "./errors.js"
import { bareImage, changedLayers, hasLayers, idleContainer, readerOf } from "./image.js"
import type { Manifest } from "./manifest.js"
import type { Session } from "./session.js"
import { keyOf } from "./store.js"
import { packTar, unpackTar } from "./tar.js"
import type { ContainerValue, FileValue } from "./values.js"

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
    const above = await changedLayers(session, id, platform)
    session.later(session.docker.json("DELETE", `/containers/${id}`, { query: { force: true } }))
    session.store.put("edits", key, above)
    return above
  })
  return { ...container, layers, edits: [] }
}

/** True where the container's layers, its edits aside, have something at a path. */
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
    const entries = await unpackTar(session.store, tar, 0)
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
    const reader = await readerOf(session, await bareImage(session, layers, platform))
    const [entry] = await unpackTar(session.store, await openFile(session, reader, path), 1)
    if (entry?.type !== "file") throw new UserError(`path ${path} is no regular file`)
    const file = { name: posix.basename(path), entry } as FileValue
    session.store.put("files", key, file)
    return file
  })
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
