import { existsSync, readdirSync } from "node:fs"
import { pack } from "tar-stream"
import type { ContainerValue, ImageConfig, Mount, Port, Session } from "./session.js"
import { keyOf } from "./store.js"

/** What is known of an image that the daemon has. */
export interface Image {
  id: string
  layers: string[]
  platform: string
  config: ImageConfig
  ports: Port[]
}

/** What is kept of an image's configuration; the daemon reports more, which only concerns containers. */
const KEPT = new Set([
  ...["Env", "Entrypoint", "Cmd", "WorkingDir", "User", "Labels", "Volumes"],
  ...["StopSignal", "Healthcheck", "Shell", "OnBuild"],
])

/** Labels that tell stand-ins for images apart. They only matter to this machine: what is built on one doesn't have them. */
const STAND_IN = "ecs-release.stand-in"

/** True for what is empty: null, "", [], {}. */
function isEmpty(value: unknown): boolean {
  return !value || (typeof value === "object" && Object.keys(value).length === 0)
}

/** Asks the daemon for an image; undefined if it has none by that name. */
export async function inspectImage(session: Session, name: string): Promise<Image | undefined> {
  const found = await session.docker.find(`/images/${encodeURIComponent(name)}/json`)
  if (!found) return undefined
  const labels: [string, string][] = Object.entries(found.Config?.Labels ?? {})
  const Labels = Object.fromEntries(labels.filter(([name]) => !name.startsWith(STAND_IN)))
  const all = Object.entries({ ...found.Config, Labels })
  const known = all.filter(([name, value]) => KEPT.has(name) && !isEmpty(value))
  const variant = found.Variant ? `/${found.Variant}` : ""
  return {
    id: found.Id,
    layers: found.RootFS.Layers ?? [],
    platform: `${found.Os}/${found.Architecture}${variant}`,
    config: Object.fromEntries(known),
    ports: Object.keys(found.Config?.ExposedPorts ?? {}).map(portOf),
  }
}

/**
 * Returns an image with only the layers, creating it if there is none: its configuration is empty, so that a container made from
 * it has exactly what it is told to have. The image also keeps the layers from being removed.
 */
export async function bareImage(session: Session, layers: string[], platform: string): Promise<string> {
  const name = bareName(session, layers, platform)
  return session.once(`image ${name}`, async () => {
    if (!(await session.docker.find(`/images/${name}/json`)))
      await loadImage(session, name, layers, platform, {})
    return name
  })
}

/** A container of an image that never runs, there to read files from. */
export function readerOf(session: Session, image: string): Promise<string> {
  const known = session.readers.get(image)
  if (known) return known
  const made = idleContainer(session, image)
  session.readers.set(image, made)
  return made
}

/** Makes a container that is not meant to run. */
export async function idleContainer(session: Session, image: string): Promise<string> {
  const json = { Image: image, Cmd: ["-"], Labels: session.labels }
  return (await session.docker.json("POST", "/containers/create", { json })).Id
}

/**
 * The layers of a container with what was changed in it: those it was made from if nothing was. Docker's own snapshot carries its
 * whole configuration, secrets included: only its new layer is taken over, into an image without any, and it is removed.
 *
 * @param from what it was made from; the folders that mounts are put on are no change
 */
export async function changedLayers(
  session: Session,
  container: string,
  { layers: before, platform, mounts }: Pick<ContainerValue, "layers" | "platform" | "mounts">,
): Promise<string[]> {
  if (await isUnchanged(session, container, mounts)) return before
  const query = { container, pause: false }
  const { Id: image } = await session.docker.json("POST", "/commit", { query, json: {} })
  try {
    const { RootFS } = await session.docker.json("GET", `/images/${image}/json`)
    const layers: string[] = RootFS.Layers ?? []
    await bareImage(session, layers, platform)
    return layers
  } finally {
    await session.docker.json("DELETE", `/images/${image}`, { query: { force: true } })
  }
}

/**
 * True if nothing was changed in a container, which root on the daemon's own machine can see: the folder of its changes contains only
 * mount points. (The daemon's own answer to that question takes longer than a snapshot.)
 */
async function isUnchanged(session: Session, container: string, mounts: readonly Mount[]): Promise<boolean> {
  const { GraphDriver } = await session.docker.json("GET", `/containers/${container}/json`)
  const changes = folderOfChanges(GraphDriver)
  if (changes === undefined) return false
  const names = readdirSync(changes, { recursive: true, encoding: "utf8" })
  const meet = (one: string, other: string) => `${one}/`.startsWith(`${other}/`)
  return names.every(name => mounts.some(({ path }) => meet(path, `/${name}`) || meet(`/${name}`, path)))
}

/** Where the daemon keeps what was changed in a container or an image; undefined if only the daemon can read it. */
export function folderOfChanges(driver?: { Name: string; Data?: { UpperDir?: string } }): string | undefined {
  const folder = driver?.Name === "overlay2" ? driver.Data?.UpperDir : undefined
  return process.getuid?.() === 0 && folder && existsSync(folder) ? folder : undefined
}

/** Where the daemon keeps all files of an image: a folder for each layer, the highest first; undefined if only the daemon can read them. */
export async function foldersOf(session: Session, image: string): Promise<string[] | undefined> {
  const { GraphDriver } = await session.docker.json("GET", `/images/${image}/json`)
  const top = folderOfChanges(GraphDriver)
  if (top === undefined) return undefined
  const below = (GraphDriver.Data.LowerDir as string | undefined)?.split(":") ?? []
  const folders = [top, ...below]
  // A mount's options fit in a page of memory.
  return folders.join(":").length < 4000 ? folders : undefined
}

/** True when the daemon still has the layers. */
export async function hasLayers(session: Session, layers: string[], platform: string): Promise<boolean> {
  return (await session.docker.find(`/images/${bareName(session, layers, platform)}/json`)) !== undefined
}

/** Makes an image of a settled container: its layers, and the configuration that its recipe set. */
export async function imageOf(session: Session, container: ContainerValue, name: string): Promise<void> {
  await bareImage(session, container.layers, container.platform)
  const exposed = container.ports.map(({ port, protocol }) => [`${port}/${protocol.toLowerCase()}`, {}])
  const ports = exposed.length > 0 ? { ExposedPorts: Object.fromEntries(exposed) } : {}
  const own = Object.entries(container.config).filter(([, value]) => !isEmpty(value))
  const config = { ...Object.fromEntries(own), ...ports }
  await loadImage(session, name, container.layers, container.platform, config)
}

function bareName(session: Session, layers: string[], platform: string): string {
  return session.imageName(keyOf(layers, platform).slice(0, 40))
}

/**
 * Makes an image from layers that the daemon has and a configuration. `docker load` takes layers it knows from its own store.
 * Nothing in the image shows when or how it was made, so the same parts give the same image.
 */
async function loadImage(
  session: Session,
  name: string,
  layers: string[],
  platform: string,
  config: object,
): Promise<void> {
  const [os, architecture, variant] = platform.split("/")
  const image = {
    ...{ architecture, ...(variant ? { variant } : {}), os, created: "1970-01-01T00:00:00Z" },
    ...{ config, rootfs: { type: "layers", diff_ids: layers } },
  }
  const paths = layers.map(layer => `${layer.replace(":", "-")}.tar`)
  const manifest = [{ Config: "config.json", RepoTags: [name], Layers: paths }]
  const archive = pack()
  archive.entry({ name: "manifest.json" }, JSON.stringify(manifest))
  archive.entry({ name: "config.json" }, JSON.stringify(image))
  archive.finalize()
  await session.docker.lines("POST", "/images/load", { query: { quiet: true }, tar: archive as never })
}

function portOf(text: string): Port {
  const [port, protocol] = text.split("/")
  return { port: Number(port), protocol: protocol === "udp" ? "UDP" : "TCP" }
}

/** The daemon's platform, such as linux/amd64. Asked once and kept: the daemon takes its time to say. */
export async function platformOf(session: Session): Promise<string> {
  const key = keyOf("platform", session.docker.target.host)
  const known = session.store.get<string>("platforms", key)
  if (known) return known
  const { Os, Arch } = await session.docker.json("GET", "/version")
  session.store.put("platforms", key, `${Os}/${Arch}`)
  return `${Os}/${Arch}`
}
