import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import {
  type Emulator,
  emulatorLog,
  ensureEmulator,
  resetEmulator,
  stateOf,
  stopEmulator,
} from "./aws/emulator.js"
import { ensureGitRemote, type GitRemote, gitLog, resetGitRemote, stopGitRemote } from "./git/remote.js"
import { type DockerTarget, ensureDocker } from "./machine/docker.js"
import { daemonLog } from "./machine/dockerd.js"
import { checkoutHome, type Log, sessionsDir } from "./machine/home.js"
import { readState } from "./machine/kept.js"

/** All that a call needs of the world outside. */
export interface World {
  docker: DockerTarget
  emulator: Emulator
  git: GitRemote
  /** The secrets that the project's .env names: credentials of the emulator and the git remote's token. */
  env: Record<string, string>
}

/**
 * Brings up, or finds, what stands in for the outside world: Docker, the AWS emulator, the git remote of `source`.
 * `checkout` is the project's directory, which owns them. Quick when all of it runs.
 */
export async function worldUp(checkout: string, source: string, log: Log): Promise<World> {
  const stateDir = checkoutHome(checkout)
  const docker = await ensureDocker(log)
  const [emulator, git] = await Promise.all([
    ensureEmulator({ docker, stateDir, log }),
    ensureGitRemote({ stateDir, source, log }),
  ])
  return { docker, emulator, git, env: { ...emulator.env, GITHUB_TOKEN: git.token } }
}

/** Ends what runs for the checkout; the next `worldUp` brings it back as it was. Docker is the machine's and stays. */
export async function worldDown(checkout: string, log: Log): Promise<void> {
  const stateDir = checkoutHome(checkout)
  if (readState(stateDir, "emulator")?.process) await stopEmulator(await ensureDocker(log), stateDir)
  await stopGitRemote(stateDir)
}

/** Ends what runs for the checkout and forgets all of it: releases, images, claimed tags, credentials, caches. */
export async function worldReset(checkout: string, log: Log): Promise<void> {
  await forgetWorld(checkoutHome(checkout), log)
}

/** As `worldReset`, by the directory where it is kept. What is the machine's stays: base images, the emulator's Python. */
export async function forgetWorld(stateDir: string, log: Log): Promise<void> {
  const sessions = sessionsDir(stateDir)
  if (existsSync(join(stateDir, "emulator.json")) || existsSync(stateOf(stateDir)))
    await resetEmulator(await ensureDocker(log), stateDir)
  if (existsSync(sessions)) {
    const { forgetSessions } = await import("./session/server.js")
    await forgetSessions(await ensureDocker(log), sessions)
  }
  await resetGitRemote(stateDir)
  rmSync(stateDir, { recursive: true, force: true })
}

/** The logs there are, with the last `lines` lines of each. */
export function worldLogs(checkout: string, lines: number): { name: string; file: string; text: string }[] {
  const stateDir = checkoutHome(checkout)
  const files = { emulator: emulatorLog(stateDir), git: gitLog(stateDir), docker: daemonLog() }
  return Object.entries(files)
    .filter(([, file]) => existsSync(file))
    .map(([name, file]) => ({
      name,
      file,
      text: readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n"),
    }))
}
