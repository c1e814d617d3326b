import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"

/** How a sandbox is made anew, as the end of an error's text. */
export const RESET = "`./offline/dagger reset` forgets the sandbox and the next call makes a new one."

/** Reads a JSON file that is kept between commands; undefined where there is none. Throws, with the way out, where it's damaged. */
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
      `${path} is damaged: it is no whole JSON, as a crash or a full disk may leave it. ${RESET}`,
    )
  }
}

/**
 * Replaces a kept file whole, so that neither a reader nor a crash ever meets half of it; for its user's eyes only.
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
