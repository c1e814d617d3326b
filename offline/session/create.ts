import { chmodSync, existsSync, lchownSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { UserError } from "./errors.js"
import { bareImage } from "./image.js"
import type { Entry, Manifest } from "./manifest.js"
import type { ContainerValue, Mount, Session } from "./session.js"
import { expand, Scrubber } from "./text.js"
import { type Known, listFolder, packTar, readFolder, TIME, unpackTar, writeTree } from "./tree.js"

interface CreateOptions {
  /** True when something is written to the command's standard input. */
  stdin?: boolean
  /** True for a terminal. */
  tty?: boolean
}

/** A running service that a container is bound to. */
export interface Bound {
  /** The name by which the container knows it. */
  names: string[]
  address: string
  /** "host" when only the host's own network reaches it. */
  network: string
}

/** A container that has not run yet. */
export interface Created {
  id: string
  /** The mounted directories, by their path in the container. */
  volumes: Map<string, FilledVolume>
  /** "host" or "bridge". */
  network: string
  /** Removes the container and its anonymous volumes. */
  remove(): Promise<void>
}

/**
 * Makes a container to run a command in, from a settled container value, its mounts filled.
 *
 * If a bound service is a server on the host, the container shares the host's network: through Docker's bridge
 * it can't reach what listens on the host's loopback. Else it is on the bridge.
 */
export async function createContainer(
  session: Session,
  container: ContainerValue,
  args: string[],
  services: Bound[],
  options: CreateOptions = {},
): Promise<Created> {
  const network = services.some(service => service.network === "host") ? "host" : "bridge"
  const { stdin = false, tty = false } = options
  const json = {
    Image: await bareImage(session, container.layers, container.platform),
    Cmd: args,
    Env: await environment(container),
    WorkingDir: container.config.WorkingDir || "/",
    User: container.config.User ?? "",
    Labels: session.labels,
    ...{
      AttachStdout: true,
      AttachStderr: true,
      AttachStdin: stdin,
      OpenStdin: stdin,
      StdinOnce: stdin,
      Tty: tty,
    },
    HostConfig: {
      NetworkMode: network,
      ExtraHosts: services.flatMap(({ names, address }) => names.map(name => `${name}:${address}`)),
      LogConfig: { Type: "none" },
      Mounts: mounts(container),
      Tmpfs: Object.fromEntries(
        container.mounts
          .filter(mount => mount.kind === "temp")
          .map(mount => [mount.path, "rw,exec,nosuid,nodev,mode=1777"]),
      ),
    },
  }
  const { Id: id } = await session.docker.json("POST", "/containers/create", { json })
  const remove = async () => {
    const query = { force: true, v: true }
    await session.docker.json("DELETE", `/containers/${id}`, { query }).catch(() => {})
  }
  try {
    return { id, volumes: await fillVolumes(session, id, container.mounts), network, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function environment(container: ContainerValue): Promise<string[]> {
  const secrets = container.secretEnv.map(async ({ name, secret }) => `${name}=${await secret.plaintext()}`)
  return [...(container.config.Env ?? []), ...(await Promise.all(secrets))]
}

function mounts(container: ContainerValue): object[] {
  return container.mounts.flatMap((mount): object[] => {
    const volume = { Type: "volume", Target: mount.path, VolumeOptions: { NoCopy: true } }
    if (mount.kind === "directory") return [volume]
    if (mount.kind === "cache") return [{ ...volume, Source: mount.volume }]
    if (mount.kind === "image")
      return [{ ...volume, VolumeOptions: { DriverConfig: laidOver(mount.folders) } }]
    return []
  })
}

/** A volume that shows folders laid over each other, which costs nothing to make. It can't be written to. */
function laidOver(folders: string[]) {
  const [only = ""] = folders
  const Options =
    folders.length === 1
      ? { type: "none", device: only, o: "bind,ro" }
      : { type: "overlay", device: "overlay", o: `lowerdir=${folders.join(":")}` }
  return { Name: "local", Options }
}

/** The command line of an exec: the given arguments or the container's, after its entrypoint if wanted. */
export function commandOf(
  container: ContainerValue,
  options: { args: string[]; useEntrypoint: boolean; expand: boolean },
): string[] {
  const given = options.args.map(arg => (options.expand ? expanded(container, arg) : arg))
  const args = given.length > 0 ? given : (container.config.Cmd ?? [])
  const command = options.useEntrypoint ? [...(container.config.Entrypoint ?? []), ...args] : args
  if (command.length === 0) throw new UserError("no command has been set")
  return command
}

/** A text with variables of the container replaced. Secret ones can't be. */
export function expanded(container: ContainerValue, text: string): string {
  return expand(text, name => {
    if (container.secretEnv.some(secret => secret.name === name)) {
      throw new UserError(`expand cannot be used with secret env variable "${name}"`)
    }
    return container.config.Env?.find(entry => entry.startsWith(`${name}=`))?.slice(name.length + 1)
  })
}

/** What a command's result can depend on, secrets by fingerprint. */
export async function identity(container: ContainerValue): Promise<unknown[]> {
  const { layers, platform, config, mounts, secretEnv, services } = container
  return [
    ...[layers, platform, config.Env ?? [], config.WorkingDir ?? "", config.User ?? ""],
    mounts.map(mountIdentity),
    await Promise.all(secretEnv.map(async ({ name, secret }) => [name, await secret.fingerprint()])),
    services.map(({ alias, service }) => [alias, service.key]),
  ]
}

function mountIdentity(mount: Mount): unknown[] {
  if (mount.kind === "directory") return [mount.path, mount.manifest.digest]
  if (mount.kind === "image") return [mount.path, mount.layers]
  return [mount.path, mount.kind === "cache" ? mount.volume : null]
}

/** A scrubber of the secrets that a container is given. */
export async function scrubberOf(container: ContainerValue): Promise<Scrubber> {
  return new Scrubber(await Promise.all(container.secretEnv.map(({ secret }) => secret.plaintext())))
}

/** A volume of a container that holds a mounted directory. */
interface FilledVolume {
  /** Reads the directory as a command left it. */
  read(): Promise<Manifest>
}

/**
 * Fills a container's empty volumes with the directories mounted there. Owners inside are those of the
 * directory, whoever runs the session: the daemon unpacks an archive. Root on the daemon's own machine writes into the volume's
 * folder instead, which takes a tenth of the time, and sees there what changed.
 */
async function fillVolumes(
  session: Session,
  container: string,
  mounts: readonly Mount[],
): Promise<Map<string, FilledVolume>> {
  const filled = new Map<string, FilledVolume>()
  const directories = mounts.filter(mount => mount.kind === "directory")
  if (directories.length === 0) return filled
  const { Mounts } = await session.docker.json("GET", `/containers/${container}/json`)
  for (const { path, manifest } of directories) {
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
    return session.store.putManifest(await unpackTar(session.store, tar))
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
