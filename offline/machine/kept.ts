import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** How to start over with a new sandbox, as the end of an error's text. */
export const RESET = "`./offline/dagger reset` deletes the sandbox, and the next call creates a new one."

/** Reads a JSON file that is kept between commands; undefined if there is none. Throws, saying what to do, if it's damaged. */
export function readKept<T>(path: string): T | undefined {
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw error
  }
  try {
    return JSON.parse(text) as T
  } catch {
    throw new Error(
      `${path} is damaged: it isn't complete JSON, perhaps after a crash or a full disk. ${RESET}`,
    )
  }
}

/**
 * Replaces a kept file as a whole, so that nobody ever reads half of it, even after a crash; only its user can read it.
 * `undefined` removes it.
 */
export function writeKept(path: string, value: unknown): void {
  if (value === undefined) {
    rmSync(path, { force: true })
    return
  }
  mkdirSync(dirname(path), { recursive: true })
  const aside = `${path}.${process.pid}`
  try {
    writeFileSync(aside, JSON.stringify(value, null, 2), { mode: 0o600 })
    renameSync(aside, path)
  } catch (error) {
    rmSync(aside, { force: true })
    throw error
  }
}

/** How many results a folder keeps: for sources as they are now, and as they were. */
const MOST_CACHED = 10

/**
 * What `make` returned for this key before, else what it returns now, which is kept in `folder` as JSON. A damaged file counts as missing.
 *
 * @param key a hash of everything that the result depends on
 */
export async function cached<T>(folder: string, key: string, make: () => T | Promise<T>): Promise<T> {
  const path = join(folder, `${key}.json`)
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T
  } catch {
    const made = await make()
    writeKept(path, made)
    const age = (name: string) => statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0
    const newestFirst = readdirSync(folder).sort((a, b) => age(b) - age(a))
    for (const name of newestFirst.slice(MOST_CACHED)) rmSync(join(folder, name), { force: true })
    return made
  }
}
