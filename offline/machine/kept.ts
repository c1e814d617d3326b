import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Owned } from "./process.js"

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

/** Replaces a kept file whole, so that neither a reader nor a crash ever meets half of it; for its user's eyes only. */
export function writeKept(path: string, value: unknown): void {
  const aside = `${path}.${process.pid}`
  try {
    writeFileSync(aside, JSON.stringify(value, null, 2), { mode: 0o600 })
    renameSync(aside, path)
  } catch (error) {
    rmSync(aside, { force: true })
    throw error
  }
}

/** What a checkout has running, by what it is: each part is a file `<state directory>/<part>.json`, for its user's eyes only. */
export interface Running {
  emulator?: {
    /** Missing after an orderly stop. */
    process?: Owned
    /** The port of the AWS APIs and of the registry. */
    port: number
    /** The port of the load balancer. */
    frontPort: number
    /** Access key id of the account's root user. */
    rootKey: string
    /** The pipeline's credentials; missing until the account is made. `until` is in milliseconds. */
    session?: { id: string; secret: string; token: string; until: number }
  }
  git?: { process?: Owned; port: number; token: string }
}

/** Reads one part's record. Throws where it is damaged. */
export function readState<Part extends keyof Running>(stateDir: string, part: Part): Running[Part] {
  return readKept(join(stateDir, `${part}.json`))
}

/** Replaces one part's record whole, so that a reader never sees half of it; undefined removes it. */
export function writeState<Part extends keyof Running>(
  stateDir: string,
  part: Part,
  record: Running[Part],
): void {
  const file = join(stateDir, `${part}.json`)
  if (!record) {
    rmSync(file, { force: true })
    return
  }
  mkdirSync(stateDir, { recursive: true })
  writeKept(file, record)
}
