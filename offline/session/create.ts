import { chmodSync, chownSync, rmSync, writeFileSync } from "node:fs"
import { bareImage } from "./image.js"
import type { Manifest } from "./manifest.js"
import { ownerIds } from "./owner.js"
import { idleName, startService } from "./service.js"
import type { Session } from "./session.js"
import type { ContainerValue } from "./values.js"
import { type FilledVolume, fillVolumes } from "./volume.js"

export interface CreateOptions {
  /** True when something is written to the command's standard input. */
  stdin?: boolean
  /** True for a terminal. */
  tty?: boolean
  /** True for all of root's capabilities. */
  privileged?: boolean
}

/** A container that has not run yet. */
export interface Created {
  id: string
  /** Where the host keeps a copy of each mounted file, by its path in the container. */
  files: Map<string, string>
  /** The mounted directories, by their path in the container. */
  volumes: Map<string, FilledVolume>
  /** "host" or "bridge". */
  network: string
  /** Removes the container, its anonymous volumes and the copies. */
  remove(): Promise<void>
}

/**
 * Makes a container to run a command in, from a settled container value: its services started, its mounts filled.
 *
 * Where a bound service is a server of the host, the container shares the host's network: through Docker's bridge
 * it can't reach what listens on the host's loopback. Else it is on the bridge.
 */
export async function createContainer(
  session: Session,
  container: ContainerValue,
  args: string[],
  options: CreateOptions = {},
): Promise<Created> {
  const services = await Promise.all(
    container.services.map(async ({ alias, service }) => ({
      names: [alias, idleName(service)],
      ...(await startService(session, service)),
    })),
  )
  const network = services.some(service => service.network === "host") ? "host" : "bridge"
  const { stdin = false, tty = false, privileged = false } = options
  const files = await mountedFiles(session, container)
  const removeFiles = () => {
    for (const path of files.values()) rmSync(path, { force: true })
  }
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
      Privileged: privileged,
      LogConfig: { Type: "none" },
      Mounts: mounts(container, files),
      Tmpfs: Object.fromEntries(temporaries(container).map(path => [path, "rw,exec,nosuid,nodev,mode=1777"])),
    },
  }
  try {
    const { Id: id } = await session.docker.json("POST", "/containers/create", { json })
    const remove = async () => {
      await session.docker
        .json("DELETE", `/containers/${id}`, { query: { force: true, v: true } })
        .catch(() => {})
      removeFiles()
    }
    try {
      const volumes = await fillVolumes(session, id, directories(container))
      return { id, files, volumes, network, remove }
    } catch (error) {
      await remove()
      throw error
    }
  } catch (error) {
    removeFiles()
    throw error
  }
}

async function environment(container: ContainerValue): Promise<string[]> {
  const secrets = container.secretEnv.map(async ({ name, secret }) => `${name}=${await secret.plaintext()}`)
  return [...(container.config.Env ?? []), ...(await Promise.all(secrets))]
}

/** Writes mounted files and secrets where only this user can read them; gives their paths by that in the container. */
async function mountedFiles(session: Session, container: ContainerValue): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const mount of container.mounts) {
    if (mount.kind !== "file" && mount.kind !== "secret") continue
    const path = session.store.temporary()
    if (mount.kind === "file") {
      session.store.copyBlob(mount.file.entry.sha, path)
      setOwner(path, mount.file.entry.mode, mount.file.entry)
    } else {
      writeFileSync(path, await mount.secret.plaintext(), { mode: 0o600 })
      setOwner(path, mount.mode, await ownerIds(session, container, mount.owner))
    }
    files.set(mount.path, path)
  }
  return files
}

/** Gives a file its owner, where this user may (root may), and its permissions. */
function setOwner(path: string, mode: number, owner: { uid: number; gid: number }): void {
  if (process.getuid?.() === 0) chownSync(path, owner.uid, owner.gid)
  chmodSync(path, mode)
}

function mounts(container: ContainerValue, files: Map<string, string>): object[] {
  return container.mounts.flatMap((mount): object[] => {
    const volume = { Type: "volume", Target: mount.path, VolumeOptions: { NoCopy: true } }
    if (mount.kind === "directory") return [volume]
    if (mount.kind === "cache") return [{ ...volume, Source: mount.volume }]
    if (mount.kind === "temp") return []
    return [
      { Type: "bind", Target: mount.path, Source: files.get(mount.path), ReadOnly: mount.kind === "secret" },
    ]
  })
}

function temporaries(container: ContainerValue): string[] {
  return container.mounts.filter(mount => mount.kind === "temp").map(mount => mount.path)
}

function directories(container: ContainerValue): Map<string, Manifest> {
  const mounted = new Map<string, Manifest>()
  for (const mount of container.mounts) {
    if (mount.kind === "directory") mounted.set(mount.path, mount.manifest)
  }
  return mounted
}
