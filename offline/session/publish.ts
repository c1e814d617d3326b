import { createReadStream, createWriteStream, mkdirSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { pipeline } from "node:stream/promises"
import { UserError } from "./errors.js"
import { authHeader, withImage } from "./from.js"
import { imageOf, inspectImage } from "./image.js"
import { normalised, splitTag } from "./reference.js"
import { settle } from "./rootfs.js"
import type { Field, Fields, Session } from "./session.js"
import { keyOf } from "./store.js"
import type { ContainerValue, FileValue } from "./values.js"

/** Makes the container's image under a name of its own content; gives the name. */
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
 * needs nothing more here: the Docker daemon shares the host's loopback, where such a service's address leads to it.
 */
const publish: Field = async (session, parent: ContainerValue, { address }) => {
  const name = await image(session, parent)
  session.log(`publish ${address}`)
  const digest = await session.once(`push ${address} ${name}`, () => push(session, parent, name, address))
  return `${normalised(address)}@${digest}`
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

/** Container.export: writes that to the host; gives the path. */
const exportTarball: Field = async (session, parent: ContainerValue, { path }) => {
  const target = resolve(path)
  mkdirSync(dirname(target), { recursive: true })
  const name = await image(session, parent)
  await pipeline(await session.docker.open("GET", `/images/${name}/get`), createWriteStream(target))
  return target
}

/** Container.import: the container with the image in an archive that `docker save` or asTarball wrote. */
const importTarball: Field = async (session, parent: ContainerValue, { source }: { source: FileValue }) => {
  const tar = createReadStream(session.store.blobPath(source.entry.sha))
  const answers = await session.docker.lines("POST", "/images/load", { query: { quiet: true }, tar })
  const said = answers.map(answer => `${answer.stream ?? ""}`).join("")
  const name = /Loaded image(?: ID)?: (\S+)/.exec(said)?.[1]
  const loaded = name && (await inspectImage(session, name))
  if (!loaded) throw new UserError(`import: the archive holds no image (${said.trim()})`)
  return withImage(parent, loaded)
}

/** Fields of Container that move images in and out. */
export const publishFields: Fields[string] = {
  publish,
  asTarball,
  export: exportTarball,
  import: importTarball,
}
