import { createHash } from "node:crypto"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { homedir } from "node:os"
import { basename, dirname, join } from "node:path"

/** Takes one line of progress, without a newline. Every slow step says what it does through one of these. */
export type Log = (line: string) => void

/** True if this process may install Debian packages and start a Docker daemon. */
export function isRoot(): boolean {
  return process.getuid?.() === 0
}

/**
 * The directory for data that belongs to the machine and is shared by all checkouts: the Docker daemon's data, the
 * Python environment, what is known about registries. `ECS_RELEASE_HOME` moves it. Created if missing.
 */
export function machineHome(): string {
  const home =
    process.env.ECS_RELEASE_HOME ||
    (isRoot() ? "/var/lib/ecs-release" : join(homedir(), ".local/share/ecs-release"))
  mkdirSync(home, { recursive: true })
  return home
}

/**
 * The directory for the daemon's socket and pid. A unix socket's path may not exceed 107 bytes, so it is a short one
 * under /run for root; with `ECS_RELEASE_HOME` set it is that home's own, so that two homes never share a daemon.
 */
export function machineRunDir(): string {
  const dir = process.env.ECS_RELEASE_HOME || !isRoot() ? join(machineHome(), "run") : "/run/ecs-release"
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  return dir
}

/**
 * The directory for what belongs to a checkout: its emulator, git remote, ports, the session's contents. It lies outside the
 * checkout, because a call takes the whole checkout as its source, and what changes there would be copied each time.
 * `ECS_RELEASE_STATE` names another one, for a second world beside the checkout's own: the tests'.
 */
export function checkoutHome(checkout: string): string {
  return process.env.ECS_RELEASE_STATE || folderFor(checkout, "checkouts")
}

/**
 * The directory for what is computed from a checkout's files, such as a module's types, under a hash of them. All worlds of the checkout
 * share it, and a reset keeps it. The first time, those of checkouts that no longer exist are deleted.
 */
export function checkoutCache(checkout: string): string {
  const folder = folderFor(checkout, "cache")
  if (existsSync(join(folder, OWNER))) return folder
  writeFileSync(join(folder, OWNER), realpathSync(checkout))
  for (const name of readdirSync(dirname(folder))) {
    const cache = join(dirname(folder), name)
    if (isOrphan(cache)) rmSync(cache, { recursive: true, force: true })
  }
  return folder
}

/** The file with the path of the checkout. */
const OWNER = "checkout"

function isOrphan(cache: string): boolean {
  try {
    const owner = readFileSync(join(cache, OWNER), "utf8")
    return owner !== "" && !existsSync(owner)
  } catch {
    // Just made, or just deleted, by another process.
    return false
  }
}

function folderFor(checkout: string, kind: string): string {
  const path = realpathSync(checkout)
  const hash = createHash("sha256").update(path).digest("hex").slice(0, 8)
  const folder = join(machineHome(), kind, `${basename(path)}-${hash}`)
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Where sessions keep what they make. */
export function sessionsDir(stateDir: string): string {
  return join(stateDir, "session")
}
