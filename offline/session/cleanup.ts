import { rmSync } from "node:fs"
import { join } from "node:path"
import type { DockerApi } from "./docker.js"
import { imageNames, leave, removeImages } from "./keptImages.js"
import { alive, list } from "./leftovers.js"
import { MARK, Session } from "./session.js"
import { Store } from "./store.js"

/**
 * Removes what sessions of this checkout left that no longer run: containers with their volumes, snapshots on their way
 * to be images, temporary files. Others' are left alone.
 */
export async function removeLeftovers(session: Session): Promise<void> {
  const temporary = join(session.store.dir, "tmp")
  for (const name of list(temporary)) {
    if (!alive(name)) rmSync(join(temporary, name), { recursive: true, force: true })
  }
  await removeObjects(session, owner => !alive(owner))
}

/** Ends what the session runs and removes what it made for the time being, and images that nothing has needed for long. */
export async function endSession(session: Session): Promise<void> {
  await Promise.allSettled([...session.services.values()].map(async running => (await running).stop()))
  await session.idle()
  await removeObjects(session, owner => owner === session.id)
  await leave(session)
}

/** Removes what the sessions with this state directory keep in Docker between runs, for a reset: images and cache volumes. */
export async function forget(docker: DockerApi, stateDir: string): Promise<void> {
  const session = new Session(
    docker,
    new Store(stateDir),
    {},
    async reference => reference,
    () => {},
  )
  await removeLeftovers(session)
  await removeImages(session, await imageNames(session))
  const { Volumes } = await docker.json("GET", "/volumes")
  const own = ((Volumes ?? []) as { Name: string }[]).filter(({ Name }) =>
    Name.startsWith(`${MARK}-${session.place}-`),
  )
  await Promise.allSettled(own.map(({ Name }) => docker.json("DELETE", `/volumes/${Name}`)))
}

async function removeObjects(session: Session, chosen: (owner: string) => boolean): Promise<void> {
  const filters = JSON.stringify({ label: [`${MARK}=${session.place}`] })
  const [containers, images] = await Promise.all([
    session.docker.json("GET", "/containers/json", { query: { all: true, filters } }),
    session.docker.json("GET", "/images/json", { query: { all: true, filters } }),
  ])
  await remove("containers", containers, { force: true, v: true })
  await remove("images", images, { force: true })

  type Found = { Id: string; Labels: Record<string, string> | null }
  async function remove(kind: string, found: Found[], query: Record<string, boolean>): Promise<void> {
    const ours = found.filter(one => chosen(one.Labels?.[`${MARK}.owner`] ?? ""))
    await Promise.allSettled(ours.map(({ Id }) => session.docker.json("DELETE", `/${kind}/${Id}`, { query })))
  }
}
