import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"

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
