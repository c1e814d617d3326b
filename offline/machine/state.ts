import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { readKept, writeKept } from "./kept.js"
import type { Owned } from "./process.js"

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
