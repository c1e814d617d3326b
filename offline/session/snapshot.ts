import type { Created } from "./create.js"
import { changedLayers } from "./image.js"
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
    changedLayers(session, created.id, container.platform),
    ...[...created.volumes].map(async ([path, volume]) => [path, (await volume.read()).digest] as const),
  ])
  return { layers, directories: Object.fromEntries(directories) }
}

/** A container's mounts as the command left them. */
export function mountsAfter(session: Session, container: ContainerValue, record: Kept): Mount[] {
  return container.mounts.map(mount => {
    const left = mount.kind === "directory" && session.store.getManifest(record.directories[mount.path] ?? "")
    return left ? { ...mount, manifest: left } : mount
  })
}
