import { createHash, randomBytes } from "node:crypto"
import { mkdirSync, realpathSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Log } from "../machine/home.js"
import { readKept, writeKept } from "../machine/kept.js"
import { withLock } from "../machine/lock.js"
import { freePorts, isRunning, type Owned, startDetached, startedWith, stop } from "../machine/process.js"
import { mirror } from "./mirror.js"

/** What is needed to use the git remote: its URL, with the token as password. */
export interface GitRemote {
  port: number
  /** Path of the repository on the server, such as `/hello-1a2b3c4d.git`. */
  path: string
  url: string
  token: string
}

/** The checkout's record of its server; without a process after an orderly stop. */
interface ServerRecord {
  process?: Owned
  port: number
  token: string
}

/**
 * Finds or creates the git remote of a work tree: the checkout's own bare repository, which has everything that the work
 * tree's origin would have, served on loopback. It contacts nothing outside this machine and does not write to the work tree;
 * anything pushed here stays.
 */
export async function ensureGitRemote(options: {
  stateDir: string
  source: string
  log: Log
}): Promise<GitRemote> {
  const { stateDir, log } = options
  const source = realpathSync(options.source)
  const name = repositoryName(source)
  mkdirSync(join(stateDir, "git"), { recursive: true })
  return withLock(join(stateDir, "git.lock"), "the git remote", log, async () => {
    await mirror(source, join(stateDir, "git", name), log)
    const { port, token } = await ensureServer(stateDir)
    return { port, token, path: `/${name}`, url: `http://127.0.0.1:${port}/${name}` }
  })
}

/** A work tree's name on the server: of characters that are the same in a URL, and no other work tree's. */
function repositoryName(source: string): string {
  const hash = createHash("sha256").update(source).digest("hex").slice(0, 8)
  return `${basename(source).replace(/[^\w.-]/g, "-")}-${hash}.git`
}

/** Ends the git remote's server. What was pushed stays. */
export async function stopGitRemote(stateDir: string): Promise<void> {
  const git = recordOf(stateDir)
  if (!git?.process) return
  await stop(git.process, 5)
  writeKept(recordFile(stateDir), { ...git, process: undefined })
}

/** Stops the server, and deletes everything that was pushed, and the token. */
export async function resetGitRemote(stateDir: string): Promise<void> {
  await stop(lastKnown(stateDir), 5)
  rmSync(join(stateDir, "git"), { recursive: true, force: true })
  rmSync(gitLog(stateDir), { force: true })
  writeKept(recordFile(stateDir), undefined)
}

/** The server's process by its record or, if that is damaged or was never written, the one that serves this directory. */
function lastKnown(stateDir: string): Owned | undefined {
  const unrecorded = () => startedWith("GIT_ROOT", join(stateDir, "git"))?.process
  try {
    const record = recordOf(stateDir)
    return record ? record.process : unrecorded()
  } catch {
    return unrecorded()
  }
}

/** What is known of the checkout's server. Throws if the record is damaged. */
export function recordOf(stateDir: string): ServerRecord | undefined {
  return readKept(recordFile(stateDir))
}

function recordFile(stateDir: string): string {
  return join(stateDir, "git.json")
}

/** The server's log file. */
export function gitLog(stateDir: string): string {
  return join(stateDir, "git.log")
}

/** Finds the checkout's running server, or starts it as a separate process, on the port it had before if that is free. */
async function ensureServer(stateDir: string): Promise<{ port: number; token: string }> {
  const before = recordOf(stateDir)
  if (before && isRunning(before.process)) return { port: before.port, token: before.token }
  const [port = 0] = await freePorts([before?.port])
  const token = before?.token ?? randomBytes(20).toString("hex")
  const logFile = gitLog(stateDir)
  const server = [join(import.meta.dirname, "server.ts")]
  const env = { ...process.env, GIT_ROOT: join(stateDir, "git"), GIT_TOKEN: token, GIT_PORT: String(port) }
  const running = await startDetached(process.execPath, ["--import", import.meta.resolve("tsx"), ...server], {
    logFile,
    env,
  })
  writeKept(recordFile(stateDir), { process: running, port, token })
  for (const deadline = Date.now() + 60_000; isRunning(running) && Date.now() < deadline; await sleep(20)) {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)
    if (answer?.ok) return { port, token }
  }
  throw new Error(`The git remote's server did not come up. Its log is ${logFile}.`)
}
