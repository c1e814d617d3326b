import { posix } from "node:path"
import { UserError } from "./errors.js"
import { directoryIn, fileIn } from "./lookUp.js"
import { clean } from "./manifest.js"
import { readDirectory, readFile } from "./rootfs.js"
import type { Session } from "./session.js"
import type { ContainerValue, DirectoryValue, Edit, FileValue, Mount } from "./values.js"

/** A path of the API as an absolute one: relative to the working directory. */
export function inContainer(container: ContainerValue, path: string): string {
  return posix.resolve("/", container.config.WorkingDir ?? "", path)
}

/** The container with an edit made, in the mounted directory where the path lies in one. */
export function changeFiles(session: Session, container: ContainerValue, edit: Edit): ContainerValue {
  const path = "remove" in edit ? edit.remove : edit.at
  const mount = mountAt(container, path)
  if (!mount) return { ...container, edits: [...container.edits, edit] }
  if (mount.kind !== "directory")
    throw new UserError(`${path}: files can't be changed in a mounted ${mount.kind}`)
  const inside = clean(path.slice(mount.path.length))
  const { manifest } = mount
  const entries = "remove" in edit ? manifest.without(inside) : manifest.with(inside, edit.put)
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
