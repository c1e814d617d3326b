import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import {
  type Emulator,
  emulatorLog,
  ensureEmulator,
  recordOf,
  resetEmulator,
  stateOf,
  stopEmulator,
} from "./aws/emulator.js"
import { ensureGitRemote, type GitRemote, gitLog, resetGitRemote, stopGitRemote } from "./git/remote.js"
import { type DockerTarget, ensureDocker } from "./machine/docker.js"
import { daemonLog } from "./machine/dockerd.js"
import { type Log, sessionsDir } from "./machine/home.js"

/** Everything a call needs from the outside world. */
export interface World {
  docker: DockerTarget
  emulator: Emulator
  git: GitRemote
  /** The secrets that the project's .env names: credentials of the emulator and the git remote's token. */
  env: Record<string, string>
}

/**
 * Starts, or finds, the stand-ins for the outside world: Docker, the AWS emulator, the git remote of `source`.
 * Their state is in `stateDir` (`checkoutHome`). Fast if everything is running.
 */
export async function worldUp(stateDir: string, source: string, log: Log): Promise<World> {
  const docker = await ensureDocker(log)
  const [emulator, git] = await Promise.all([
    ensureEmulator({ docker, stateDir, log }),
    ensureGitRemote({ stateDir, source, log }),
  ])
  return { docker, emulator, git, env: { ...emulator.env, GITHUB_TOKEN: git.token } }
}

/** Stops everything; the next `worldUp` brings it back as it was. Docker belongs to the machine and stays. */
export async function worldDown(stateDir: string, log: Log): Promise<void> {
  if (recordOf(stateDir)?.process) await stopEmulator(await ensureDocker(log), stateDir)
  await stopGitRemote(stateDir)
}

/**
 * Stops everything and deletes all of it: releases, images, claimed tags, credentials, caches. What belongs to the machine stays: base
 * images, the emulator's Python.
 */
export async function worldReset(stateDir: string, log: Log): Promise<void> {
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

/** The existing logs, with the last `lines` lines of each. */
export function worldLogs(stateDir: string, lines: number): { name: string; file: string; text: string }[] {
  const files = { emulator: emulatorLog(stateDir), git: gitLog(stateDir), docker: daemonLog() }
  return Object.entries(files)
    .filter(([, file]) => existsSync(file))
    .map(([name, file]) => ({
      name,
      file,
      text: readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n"),
    }))
}
