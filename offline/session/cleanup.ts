import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { withLock } from "../machine/lock.js"
import type { DockerApi } from "./docker.js"
import { MARK, Session } from "./session.js"
import { Store } from "./store.js"

/**
 * Removes what this checkout's dead sessions left behind: containers with their volumes, snapshots on their way
 * to becoming images, temporary files. Others' are left alone.
 */
export async function removeLeftovers(session: Session): Promise<void> {
  const temporary = join(session.store.dir, "tmp")
  for (const name of list(temporary)) {
    if (!alive(name)) rmSync(join(temporary, name), { recursive: true, force: true })
  }
  await removeObjects(session, owner => !alive(owner))
}

/** Ends what the session runs and removes its temporary objects, and images that nothing has needed for a long time. */
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

/** Registers the session as running: from here on no other one removes images. */
export async function enter(session: Session): Promise<void> {
  await locked(session, async () => writeFileSync(join(register(session), session.id), ""))
}

/**
 * Ends the registration, and keeps the number of the checkout's images from growing: as many stay as the last session left, or as this
 * one needed if that is more; the least recently needed go first. While another session runs, this is left to that one.
 */
async function leave(session: Session): Promise<void> {
  await locked(session, async () => {
    rmSync(join(register(session), session.id), { force: true })
    if (running(session)) return
    const file = join(session.store.dir, "images")
    const before = readNames(file)
    const there = new Set(await imageNames(session))
    // What no session has noted is a killed one's: it is the first to go.
    const ordered = [...new Set([...session.images, ...before, ...there])].filter(name => there.has(name))
    const count = Math.max(before.length, session.images.size)
    await removeImages(session, ordered.slice(count))
    writeFileSync(`${file}.new`, ordered.slice(0, count).join("\n"))
    renameSync(`${file}.new`, file)
  })
}

/** The names of the images that the checkout's sessions made. */
export async function imageNames(session: Session): Promise<string[]> {
  const filters = JSON.stringify({ reference: [session.repository] })
  const images: { RepoTags: string[] | null }[] = await session.docker.json("GET", "/images/json", {
    query: { filters },
  })
  const names = images.flatMap(image => image.RepoTags ?? [])
  return names.filter(name => name.startsWith(`${session.repository}:`))
}

/** Removes names of images: one that has another name, such as the registry's, keeps that and its layers. */
async function removeImages(session: Session, names: readonly string[]): Promise<void> {
  await Promise.allSettled(names.map(name => session.docker.json("DELETE", `/images/${name}`)))
}

function running(session: Session): boolean {
  const names = list(register(session))
  for (const name of names) if (!alive(name)) rmSync(join(register(session), name), { force: true })
  return names.some(alive)
}

function readNames(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []
    throw error
  }
}

function register(session: Session): string {
  return join(session.store.dir, "running")
}

async function locked(session: Session, work: () => Promise<void>): Promise<void> {
  mkdirSync(register(session), { recursive: true, mode: 0o700 })
  const silent = () => {} // it is held only briefly
  await withLock(join(session.store.dir, "images.lock"), "the images", silent, work)
}

/** True if the process whose number the name starts with is running. */
function alive(name: string): boolean {
  const pid = Number.parseInt(name, 10)
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

/** The names in a folder; none if it doesn't exist. */
function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
