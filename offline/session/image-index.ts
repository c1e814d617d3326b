import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { request as httpRequest } from "node:http"
import { request as httpsRequest } from "node:https"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { extract } from "tar-stream"
import { readAll } from "./docker.js"
import { UserError } from "./errors.js"
import type { Session } from "./session.js"
import type { Blob } from "./store.js"

/** One image of an index: what the daemon saves it as, and its platform. */
export interface Variant {
  name: string
  platform: string
}

/** Where an index goes. */
export interface Destination {
  registry: string
  repository: string
  tag: string
  /** `Basic …`, if the registry asks for a login. */
  authorization?: string
}

const TYPES = {
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
}

/**
 * Pushes images for several platforms as one image index (OCI image and distribution specifications): the Docker daemon pushes only
 * images by tag. Returns the index's digest.
 */
export async function pushIndex(
  session: Session,
  variants: readonly Variant[],
  to: Destination,
): Promise<string> {
  const manifests: object[] = []
  for (const { name, platform } of variants) {
    const { config, layers } = await saved(session, name)
    for (const blob of [config, ...layers]) await pushBlob(session, to, blob)
    const manifest = {
      ...{ schemaVersion: 2, mediaType: TYPES.manifest, config: descriptor(TYPES.config, config) },
      layers: layers.map(layer => descriptor(TYPES.layer, layer)),
    }
    const [os, architecture, variant] = platform.split("/")
    const pushed = await pushManifest(to, manifest, TYPES.manifest)
    manifests.push({ ...pushed, platform: { os, architecture, ...(variant && { variant }) } })
  }
  const index = { schemaVersion: 2, mediaType: TYPES.index, manifests }
  return (await pushManifest(to, index, TYPES.index, to.tag)).digest
}

function descriptor(mediaType: string, { sha, size }: Blob) {
  return { mediaType, digest: `sha256:${sha}`, size }
}

/** An image's configuration and layers, kept in the store, from what `docker save` writes. */
async function saved(session: Session, name: string): Promise<{ config: Blob; layers: Blob[] }> {
  const files = new Map<string, Blob>()
  const tar = extract()
  tar.on("entry", (header, content, next) => {
    if (header.type !== "file") {
      content.resume().on("end", next)
      return
    }
    session.store.putStream(content as unknown as Readable).then(blob => {
      files.set(header.name, blob)
      next()
    }, next)
  })
  await pipeline(await session.docker.open("GET", `/images/${name}/get`), tar)
  const find = (path: string) => {
    const blob = files.get(path)
    if (!blob) throw new UserError(`the daemon's image ${name} has no ${path}`)
    return blob
  }
  const [{ Config, Layers }] = JSON.parse(session.store.read(find("manifest.json").sha).toString())
  return { config: find(Config), layers: (Layers as string[]).map(find) }
}

async function pushBlob(session: Session, to: Destination, { sha, size }: Blob): Promise<void> {
  const digest = `sha256:${sha}`
  const there = await ask(to, "HEAD", `blobs/${digest}`)
  if (there.status === 200) return
  const { status, location } = await ask(to, "POST", "blobs/uploads/")
  if (status !== 202 || !location) throw refused(to, "an upload", status)
  const url = new URL(location, origin(to.registry))
  url.searchParams.set("digest", digest)
  const body = createReadStream(session.store.blobPath(sha))
  const done = await ask(to, "PUT", url, { body, size, type: "application/octet-stream" })
  if (done.status !== 201) throw refused(to, `the blob ${digest}`, done.status)
}

async function pushManifest(to: Destination, manifest: object, mediaType: string, tag?: string) {
  const text = JSON.stringify(manifest)
  const digest = `sha256:${createHash("sha256").update(text).digest("hex")}`
  const size = Buffer.byteLength(text)
  const done = await ask(to, "PUT", `manifests/${tag ?? digest}`, { body: text, size, type: mediaType })
  if (done.status !== 201) throw refused(to, `the manifest ${tag ?? digest}`, done.status)
  return { mediaType, digest, size }
}

function refused({ registry }: Destination, what: string, status: number): UserError {
  return new UserError(`the registry ${registry} did not take ${what}: status ${status}`)
}

/** Plain HTTP on loopback, as the Docker daemon does it. */
function origin(registry: string): string {
  return `${/^(127\.|localhost(:|$))/.test(registry) ? "http" : "https"}://${registry}`
}

function ask(
  { registry, repository, authorization }: Destination,
  method: string,
  path: string | URL,
  sent?: { body: Readable | string; size: number; type: string },
): Promise<{ status: number; location?: string }> {
  const url = typeof path === "string" ? new URL(`/v2/${repository}/${path}`, origin(registry)) : path
  const headers = {
    // A registry may have its uploads elsewhere: the login is the registry's alone.
    ...(authorization && url.origin === origin(registry) && { authorization }),
    "content-length": sent?.size ?? 0,
    ...(sent && { "content-type": sent.type }),
  }
  const send = url.protocol === "http:" ? httpRequest : httpsRequest
  return new Promise((resolve, reject) => {
    const call = send(url, { method, headers }, response => {
      const { location } = response.headers
      readAll(response).then(() => resolve({ status: response.statusCode ?? 0, location }), reject)
    })
    call.once("error", reject)
    if (sent && typeof sent.body !== "string") sent.body.once("error", reject).pipe(call)
    else call.end(sent?.body)
  })
}
