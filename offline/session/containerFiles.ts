import { posix } from "node:path"
import { UserError } from "./errors.js"
import { directoryIn, fileIn } from "./lookUp.js"
import { clean, type Entry, type Manifest } from "./manifest.js"
import { inLayers, readDirectory, readFile } from "./rootfs.js"
import type { Session } from "./session.js"
import type { ContainerValue, DirectoryValue, FileValue, Mount } from "./values.js"

/** A path of the API as an absolute one: relative to the working directory. */
export function inContainer(container: ContainerValue, path: string): string {
  return posix.resolve("/", container.config.WorkingDir ?? "", path)
}

/** The container with entries put at a path, in the mounted directory where that lies in one. */
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
      `${path} is in the image or was made by a command: offline, only what was put into a container can be taken out. ` +
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

/** The file at a path of a container. Throws where there is none. */
export async function readAt(session: Session, container: ContainerValue, path: string): Promise<FileValue> {
  const absolute = inContainer(container, path)
  const mount = mountAt(container, absolute)
  if (!mount) return readFile(session, container, absolute)
  return fileIn(
    mountedDirectory(mount, absolute).manifest,
    clean(absolute.slice(mount.path.length)),
    absolute,
  )
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
  const entries = directoryIn(manifest, clean(absolute.slice(mount.path.length)), absolute)
  return { name, load: async () => session.store.putManifest(entries) }
}

function mountedDirectory(mount: Mount, path: string) {
  if (mount.kind === "directory") return mount
  throw new UserError(`${path}: files can't be read from a mounted ${mount.kind}`)
}

/** The mount a path lies in: the innermost. */
function mountAt(container: ContainerValue, path: string): Mount | undefined {
  const around = container.mounts.filter(mount => `${path}/`.startsWith(`${mount.path}/`))
  return around.sort((a, b) => b.path.length - a.path.length)[0]
}
