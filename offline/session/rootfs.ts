import { posix } from "node:path"
import { DockerError } from "./docker.js"
import { notFound, UserError } from "./errors.js"
import { bareImage, hasLayers } from "./image.js"
import { makeLayer } from "./layer.js"
import type { Manifest } from "./manifest.js"
import type { Session } from "./session.js"
import { keyOf } from "./store.js"
import { unpackTar } from "./tar.js"
import type { ContainerValue, FileValue } from "./values.js"

/** The container with its edits made into layers. */
export async function settle(session: Session, container: ContainerValue): Promise<ContainerValue> {
  let { layers } = container
  for (const batch of batches(container)) {
    const key = keyOf("edit", layers, container.platform, batch)
    const below = layers
    layers = await session.once(`edit ${key}`, async () => {
      const known = session.store.get<string[]>("edits", key)
      if (known && (await hasLayers(session, known, container.platform))) return known
      const image = await bareImage(session, below, container.platform)
      const fresh = await makeLayer(session, image, batch)
      if (!fresh) return below
      const above = [...below, fresh.digest]
      await bareImage(session, above, container.platform, fresh).finally(() => fresh.remove())
      session.store.put("edits", key, above)
      return above
    })
  }
  return { ...container, layers, edits: [] }
}

/** Neighbouring puts make one layer; what is removed is a layer of its own, since it tells of the layers below. */
function batches(container: ContainerValue): ContainerValue["edits"][] {
  const made: ContainerValue["edits"][] = []
  for (const edit of container.edits) {
    const last = made.at(-1)
    if (last?.[0] && "remove" in last[0] === "remove" in edit) last.push(edit)
    else made.push([edit])
  }
  return made
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

/** A container of the image that never runs, there to read files from. */
export async function readerOf(session: Session, image: string): Promise<string> {
  const known = session.readers.get(image)
  if (known) return known
  const json = { Image: image, Cmd: ["-"], Labels: session.labels }
  const made = session.docker.json("POST", "/containers/create", { json }).then(answer => answer.Id as string)
  session.readers.set(image, made)
  return made
}
