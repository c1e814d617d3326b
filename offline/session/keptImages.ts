import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { withLock } from "../machine/lock.js"
import { alive, list } from "./leftovers.js"
import type { Session } from "./session.js"

/** Makes it known that the session runs: from here on no other one removes images. */
export async function enter(session: Session): Promise<void> {
  await locked(session, async () => writeFileSync(join(register(session), session.id), ""))
}

/**
 * Ends that, and keeps the checkout's images from growing in number: as many stay as the last session left, or as this one
 * needed where that is more, and those needed least recently go. While another session runs, it is left to that one.
 */
export async function leave(session: Session): Promise<void> {
  await locked(session, async () => {
    rmSync(join(register(session), session.id), { force: true })
    if (running(session)) return
    const file = join(session.store.dir, "images")
    const before = readNames(file)
    const there = new Set(await imageNames(session))
    // What none has noted is a killed session's: it is the first to go.
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
export async function removeImages(session: Session, names: readonly string[]): Promise<void> {
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
  const silent = () => {} // it is held for moments
  await withLock(join(session.store.dir, "images.lock"), "the images", silent, work)
}
