import { createWriteStream, mkdirSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { pipeline } from "node:stream/promises"
import { UserError } from "./errors.js"
import { type Image, imageOf, inspectImage } from "./image.js"
import { pushIndex, type Variant } from "./image-index.js"
import type { FileValue } from "./manifest.js"
import { settle } from "./rootfs.js"
import type { ContainerValue, Field, Fields, Session } from "./session.js"
import { keyOf } from "./store.js"

/** Container.from: the container with an image's files and configuration. */
export const from: Field = async (session, parent: ContainerValue, { address }) => ({
  ...withImage(parent, await resolved(session, parent, address)),
  address,
})

/** The container with an image's files, configuration and platform in place of its own. */
export function withImage(container: ContainerValue, image: Image): ContainerValue {
  const { layers, platform, config, ports } = image
  return { ...container, layers, edits: [], platform, config, ports }
}

async function resolved(session: Session, container: ContainerValue, address: string): Promise<Image> {
  const failed = (reason: string) =>
    new UserError(
      `failed to resolve image "${address}" (platform: "${container.platform}"): failed to resolve source metadata for ` +
        `${normalised(address)}: ${reason}`,
    )
  try {
    const login = await authHeader(container, address)
    const image = await inspectImage(
      session,
      login ? await pulledAs(session, address, login) : await session.resolveImage(address),
    )
    if (image && isFor(image, container.platform)) return image
    if (image) throw new UserError(`the local image is for ${image.platform}`)
  } catch (error) {
    throw failed((error as Error).message)
  }
  throw failed(`${normalised(address)}: not found`)
}

/** Pulls an image that needs a login. */
async function pulledAs(session: Session, address: string, headers: Record<string, string>): Promise<string> {
  if (await inspectImage(session, address)) return address
  const answers = await session.docker.lines("POST", "/images/create", {
    query: { fromImage: address },
    headers,
  })
  const failed = answers.find(answer => answer.error)
  if (failed) throw new UserError(String(failed.error))
  return address
}

/**
 * Container.imageRef: the image's address with its digest. A stand-in, which came from no registry, has its own id as that.
 */
const imageRef: Field = async (session, parent: ContainerValue) => {
  if (parent.address === undefined)
    throw new UserError("Image reference can only be retrieved immediately after the 'Container.From' call.")
  const address = normalised(parent.address)
  if (address.includes("@")) return address
  const found = await session.docker.find(
    `/images/${encodeURIComponent(await session.resolveImage(parent.address))}/json`,
  )
  const digest = (found?.RepoDigests?.[0] as string | undefined)?.split("@")[1] ?? found?.Id
  return `${address}@${digest}`
}

/** True when an image is for a platform; variants (as in linux/arm/v7) don't count. */
function isFor(image: Image, platform: string): boolean {
  const [os, architecture] = platform.split("/")
  return image.platform.startsWith(`${os}/${architecture}`)
}

/** The login to an address's registry, if the container has one for it. */
async function loginOf(container: ContainerValue, address: string) {
  const registry = registryOf(address)
  const auth = container.auths.find(
    one => registryOf(`${one.address}/x`) === registry || registryOf(one.address) === registry,
  )
  if (!auth) return undefined
  const { username, secret } = auth
  return { username, password: await secret.plaintext(), serveraddress: registry }
}

/** The header that logs in, if there is a login. It is never an argument. */
async function authHeader(container: ContainerValue, address: string) {
  const login = await loginOf(container, address)
  if (!login) return undefined
  // URL-safe, but padded: that is the only form that the daemon reads (Docker Engine API, "Authentication").
  const encoded = Buffer.from(JSON.stringify(login))
    .toString("base64")
    .replaceAll("+", "-")
    .replaceAll("/", "_")
  return { "X-Registry-Auth": encoded }
}

/** Makes the container's image under a name made from its content; gives the name. */
async function image(session: Session, parent: ContainerValue): Promise<string> {
  const container = await settle(session, parent)
  const { layers, config, ports, platform } = container
  const name = session.imageName(`image-${keyOf(layers, config, ports, platform).slice(0, 40)}`)
  return session.once(`image ${name}`, async () => {
    if (!(await inspectImage(session, name))) await imageOf(session, container, name)
    return name
  })
}

/**
 * Container.publish: pushes the image; gives the address with the digest that the registry has it under. A registryService
 * needs nothing more here: the Docker daemon shares the host's loopback interface, on which the service's address is reachable.
 */
const publish: Field = async (
  session,
  parent: ContainerValue,
  { address, platformVariants, forcedCompression },
) => {
  const name = await image(session, parent)
  session.log(`publish ${address}`)
  if (forcedCompression && forcedCompression !== "Gzip")
    session.log(`offline: Docker pushes gzip; an engine would push ${forcedCompression}`)
  const others = platformVariants as ContainerValue[]
  if (others.length > 0) return publishIndex(session, [parent, ...others], address)
  const digest = await session.once(`push ${address} ${name}`, () => push(session, parent, name, address))
  return `${normalised(address)}@${digest}`
}

/** Publishes several containers as one image index. */
async function publishIndex(session: Session, all: ContainerValue[], address: string): Promise<string> {
  const { repository, tag = "latest" } = splitTag(normalised(address))
  const registry = registryOf(address)
  const login = await loginOf(all[0] as ContainerValue, address)
  const authorization =
    login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`
  const variants: Variant[] = []
  for (const one of all) variants.push({ name: await image(session, one), platform: one.platform })
  const to = { registry, repository: repository.slice(registry.length + 1), tag, authorization }
  return `${normalised(address)}@${await pushIndex(session, variants, to)}`
}

async function push(
  session: Session,
  container: ContainerValue,
  name: string,
  address: string,
): Promise<string> {
  const { repository, tag = "latest" } = splitTag(address)
  const headers = (await authHeader(container, address)) ?? { "X-Registry-Auth": "e30=" }
  try {
    // The tag is needed only to push: one that was there before is put back.
    const before = await inspectImage(session, `${repository}:${tag}`)
    await session.docker.json("POST", `/images/${name}/tag`, { query: { repo: repository, tag } })
    try {
      const path = `/images/${repository}/push`
      const answers = await session.docker.lines("POST", path, { query: { tag }, headers })
      const { Digest } = (answers.find(answer => answer.aux)?.aux ?? {}) as { Digest?: string }
      if (!Digest) throw new UserError("the registry gave no digest")
      return Digest
    } finally {
      if (before)
        await session.docker.json("POST", `/images/${before.id}/tag`, { query: { repo: repository, tag } })
      else await session.docker.json("DELETE", `/images/${repository}:${tag}`)
    }
  } catch (error) {
    throw new UserError(`failed to export: failed to push ${address}: ${(error as Error).message}`)
  }
}

/** Container.asTarball: the image as `docker save` writes it. */
const asTarball: Field = async (session, parent: ContainerValue): Promise<FileValue> => {
  const name = await image(session, parent)
  const blob = await session.store.putStream(await session.docker.open("GET", `/images/${name}/get`))
  return { name: "container.tar", entry: { ...blob, path: "", type: "file", mode: 0o600, uid: 0, gid: 0 } }
}

/** Container.export: writes the image to the host as `docker save` does; gives the path. */
const exportTarball: Field = async (session, parent: ContainerValue, { path }) => {
  const target = resolve(path)
  mkdirSync(dirname(target), { recursive: true })
  const name = await image(session, parent)
  await pipeline(await session.docker.open("GET", `/images/${name}/get`), createWriteStream(target))
  return target
}

/** Fields of Container that move images in and out. */
export const publishFields: Fields[string] = {
  imageRef,
  publish,
  asTarball,
  export: exportTarball,
}

/** The registry's host (and port) in an image's address; Docker Hub's if the address names none. */
export function registryOf(address: string): string {
  const [first = "", ...rest] = address.replace(/^https?:\/\//, "").split("/")
  const named = rest.length > 0 && (/[.:]/.test(first) || first === "localhost")
  return named ? first : "docker.io"
}

/** An image's address in full, as the engine shows it: with the registry, and `library/` for Docker Hub's own. */
export function normalised(address: string): string {
  if (registryOf(address) !== "docker.io") return address
  const name = address.replace(/^docker\.io\//, "")
  return `docker.io/${name.includes("/") ? name : `library/${name}`}`
}

/** An address cut into what names the repository, and its tag (undefined without one). */
export function splitTag(address: string): { repository: string; tag?: string } {
  const [, repository = address, tag] = /^(.*?)(?::([^:/@]+))?$/.exec(address) ?? []
  return tag === undefined ? { repository } : { repository, tag }
}
