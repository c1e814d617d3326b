import type { Created } from "./create.js"
import { bareImage } from "./image.js"
import type { Session } from "./session.js"
import type { ContainerValue, Mount, Outcome } from "./values.js"

/** What is kept of a command that ran. */
export interface Kept {
  outcome: Outcome
  layers: string[]
  /** Digests of the mounted directories, by path. */
  directories: { [path: string]: string }
}

/** Keeps what a command changed: the root file system as a layer, mounted directories in the store. */
export async function snapshot(
  session: Session,
  container: ContainerValue,
  created: Created,
): Promise<Omit<Kept, "outcome">> {
  const [layers, ...directories] = await Promise.all([
    changedLayers(session, container, created.id),
    ...[...created.volumes].map(async ([path, volume]) => [path, (await volume.read()).digest] as const),
  ])
  return { layers, directories: Object.fromEntries(directories) }
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
    const left = mount.kind === "directory" && session.store.getManifest(record.directories[mount.path] ?? "")
    return left ? { ...mount, manifest: left } : mount
  })
}
