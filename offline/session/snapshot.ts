import type { Created } from "./create.js"
import { bareImage } from "./image.js"
import type { Session } from "./session.js"
import type { ContainerValue, FileValue, Mount, Outcome } from "./values.js"

/** What is kept of a command that ran. */
export interface Kept {
  outcome: Outcome
  layers: string[]
  /** Digests of the mounted directories, by path. */
  directories: { [path: string]: string }
  files: { [path: string]: FileValue }
}

/** Keeps what a command changed: the root file system as a layer, mounted directories and files in the store. */
export async function snapshot(
  session: Session,
  container: ContainerValue,
  created: Created,
): Promise<Omit<Kept, "outcome">> {
  const [layers, ...directories] = await Promise.all([
    changedLayers(session, container, created.id),
    ...[...created.volumes].map(async ([path, volume]) => [path, (await volume.read()).digest] as const),
  ])
  const files: Kept["files"] = {}
  for (const mount of container.mounts) {
    const path = mount.kind === "file" && created.files.get(mount.path)
    if (!path) continue
    const entry = { ...mount.file.entry, ...(await session.store.putFile(path)) }
    files[mount.path] = { ...mount.file, entry }
  }
  return { layers, directories: Object.fromEntries(directories), files }
}

/**
 * The layers after a command. Docker's own snapshot of a container carries its whole configuration, secrets among it: only
 * its new layer (none where nothing changed) is taken over, into an image without any, and it is removed.
 */
async function changedLayers(session: Session, container: ContainerValue, id: string): Promise<string[]> {
  const query = { container: id, pause: false }
  const { Id: image } = await session.docker.json("POST", "/commit", { query, json: {} })
  try {
    const { RootFS } = await session.docker.json("GET", `/images/${image}/json`)
    const layers: string[] = RootFS.Layers ?? []
    await bareImage(session, layers, container.platform)
    return layers
  } finally {
    await session.docker.json("DELETE", `/images/${image}`, { query: { force: true } })
  }
}

/** A container's mounts as the command left them. */
export function mountsAfter(session: Session, container: ContainerValue, record: Kept): Mount[] {
  return container.mounts.map(mount => {
    if (mount.kind === "directory") {
      const manifest = session.store.getManifest(record.directories[mount.path] ?? "")
      return manifest ? { ...mount, manifest } : mount
    }
    const file = mount.kind === "file" && record.files[mount.path]
    return file ? { ...mount, file } : mount
  })
}
