import { DockerError } from "./docker.js"
import { UserError } from "./errors.js"
import { type Image, inspectImage } from "./image.js"
import { normalised, registryOf } from "./reference.js"
import type { Field, Session } from "./session.js"
import type { ContainerValue, ImageConfig } from "./values.js"

/** Container.from: the image's files and configuration; variables, labels and ports add to those that the container has. */
export const from: Field = async (session, parent: ContainerValue, { address }): Promise<ContainerValue> => {
  return withImage(parent, await resolved(session, parent, address))
}

/** The container with an image's files, configuration and platform in place of its own. */
export function withImage(container: ContainerValue, image: Image): ContainerValue {
  const { layers, platform, config, ports } = image
  const own = container.ports.filter(
    ({ port, protocol }) => !ports.some(one => one.port === port && one.protocol === protocol),
  )
  return {
    ...container,
    ...{ layers, edits: [], platform },
    ...{ config: merged(container.config, config), ports: [...own, ...ports] },
  }
}

function merged(config: ImageConfig, image: ImageConfig): ImageConfig {
  const names = new Set((image.Env ?? []).map(entry => entry.split("=")[0]))
  const own = (config.Env ?? []).filter(entry => !names.has(entry.split("=")[0]))
  return { ...image, Env: [...own, ...(image.Env ?? [])], Labels: { ...config.Labels, ...image.Labels } }
}

async function resolved(session: Session, container: ContainerValue, address: string): Promise<Image> {
  const failed = (reason: string) =>
    new UserError(
      `failed to resolve image "${address}" (platform: "${container.platform}"): failed to resolve source metadata for ` +
        `${normalised(address)}: ${reason}`,
    )
  try {
    await pullPrivate(session, container, address)
    const image = await inspectImage(session, await session.resolveImage(address))
    if (image && isFor(image, container.platform)) return image
    if (image) throw new UserError(`the image that is there is for ${image.platform}`)
  } catch (error) {
    if (error instanceof Error) throw failed(error.message)
    throw error
  }
  throw failed(`${normalised(address)}: not found`)
}

/** True when an image is for a platform; variants (as in linux/arm/v7) don't count. */
function isFor(image: Image, platform: string): boolean {
  const [os, architecture] = platform.split("/")
  return image.platform.startsWith(`${os}/${architecture}`)
}

/** Pulls an image of a registry that the container has a login for; what the daemon has already is left as it is. */
async function pullPrivate(session: Session, container: ContainerValue, address: string): Promise<void> {
  const headers = await authHeader(container, address)
  if (!headers || (await inspectImage(session, address))) return
  await pull(session, address, headers)
}

/** Finds an image locally, else pulls it: how references are resolved when the caller says nothing else. */
export async function findOrPull(session: Session, address: string): Promise<string> {
  if (!(await inspectImage(session, address))) await pull(session, address, {})
  return address
}

async function pull(session: Session, address: string, headers: Record<string, string>): Promise<void> {
  const name = /[:@][^/]*$/.test(address) ? address : `${address}:latest`
  try {
    await session.docker.lines("POST", "/images/create", { query: { fromImage: name }, headers })
  } catch (error) {
    if (error instanceof DockerError && /not found|manifest unknown/.test(error.message)) {
      throw new UserError(`${normalised(address)}: not found`)
    }
    throw error
  }
}

/** The header that logs in to an address's registry, where the container has a login for it. It never is an argument. */
export async function authHeader(container: ContainerValue, address: string) {
  const registry = registryOf(address)
  const auth = container.auths.find(
    one => registryOf(`${one.address}/x`) === registry || registryOf(one.address) === registry,
  )
  if (!auth) return undefined
  const { username, secret } = auth
  const login = { username, password: await secret.plaintext(), serveraddress: registry }
  // URL-safe, but padded: that is the only form that the daemon reads (Docker Engine API, "Authentication").
  const encoded = Buffer.from(JSON.stringify(login))
    .toString("base64")
    .replaceAll("+", "-")
    .replaceAll("/", "_")
  return { "X-Registry-Auth": encoded }
}
