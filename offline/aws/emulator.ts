import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { DockerTarget } from "../machine/docker.js"
import type { Log } from "../machine/home.js"
import { type Running, readState, writeState } from "../machine/kept.js"
import { withLock } from "../machine/lock.js"
import { isRunning, startedWith, stop } from "../machine/process.js"
import { removeTaskContainers, removeTaskImages } from "./containers.js"
import { WORLD } from "./names.js"
import { seed } from "./seed.js"
import { openSession, type Session } from "./session.js"
import { startEmulator } from "./start.js"

/** Credentials with less time left than this are renewed: a release must not outlive them. */
const RENEW_MS = 4 * 3600_000

type Found = NonNullable<Running["emulator"]>

/** What is needed to use the emulated account. */
export interface Emulator {
  /** Port on loopback of the AWS APIs and of the registry. */
  port: number
  region: string
  accountId: string
  /** Where the service answers, through its load balancer. */
  appUrl: string
  /** The pipeline's credentials, as environment variables. */
  env: {
    AWS_ACCESS_KEY_ID: string
    AWS_SECRET_ACCESS_KEY: string
    AWS_SESSION_TOKEN: string
    AWS_REGION: string
  }
}

/** What the emulator is started with. */
export interface EmulatorOptions {
  docker: DockerTarget
  /** The checkout's directory for state. */
  stateDir: string
  log: Log
  /** Seconds a new task must run before it can count as healthy; 1 unless told. */
  steadySeconds?: number
  /** Seconds a new task has to pass its health check; 5 unless told. */
  healthSeconds?: number
}

/**
 * Finds the checkout's AWS emulator running, or starts it and makes its account. It outlives the command, and keeps
 * its ports, its credentials and its state: after a stop all of it, after a kill what was written until then.
 */
export async function ensureEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { docker, stateDir, log } = options
  const running = await runningEmulator(stateDir)
  if (running) return running
  mkdirSync(stateDir, { recursive: true })
  return withLock(join(stateDir, "emulator.lock"), "the AWS emulator", log, async () => {
    const meanwhile = await runningEmulator(stateDir)
    if (meanwhile) return meanwhile
    const left = readState(stateDir, "emulator") ?? unrecorded(stateDir)
    if (left?.process) {
      log("the AWS emulator had ended on its own: starting it again with the state that it wrote")
      await stop(left.process, 20)
      await removeTaskContainers(docker, stateDir, left.port)
    } else log("starting the AWS emulator")
    const started = await startEmulator(options, left)
    writeState(stateDir, "emulator", started)
    await seed(docker, started, log)
    const session = await openSession(started)
    writeState(stateDir, "emulator", { ...started, session })
    return describe(started, session)
  })
}

/** The checkout's emulator if it runs and is ready, with credentials that last; else undefined. */
export async function runningEmulator(stateDir: string): Promise<Emulator | undefined> {
  const found = readState(stateDir, "emulator")
  if (!found?.session || !isRunning(found.process)) return undefined
  if (found.session.until - Date.now() > RENEW_MS) return describe(found, found.session)
  const session = await openSession(found)
  writeState(stateDir, "emulator", { ...found, session })
  return describe(found, session)
}

/** Ends the emulator, and with it the service's containers. Its state and its ports stay for the next start. */
export async function stopEmulator(docker: DockerTarget, stateDir: string): Promise<void> {
  const found = readState(stateDir, "emulator")
  if (!found?.process) return
  await end(docker, stateDir, found)
  writeState(stateDir, "emulator", { ...found, process: undefined })
}

async function end(docker: DockerTarget, stateDir: string, found: Found): Promise<void> {
  await stop(found.process, 20)
  await removeTaskContainers(docker, stateDir, found.port)
}

/** Ends the emulator and forgets all that it holds: images, releases, credentials, logs. */
export async function resetEmulator(docker: DockerTarget, stateDir: string): Promise<void> {
  const found = lastKnown(stateDir)
  if (found) {
    await end(docker, stateDir, found)
    await removeTaskImages(docker, found.port)
  }
  rmSync(stateOf(stateDir), { recursive: true, force: true })
  rmSync(emulatorLog(stateDir), { force: true })
  writeState(stateDir, "emulator", undefined)
}

/** The emulator's record or, where that is damaged or was never written, what its process tells. */
function lastKnown(stateDir: string): Found | undefined {
  try {
    return readState(stateDir, "emulator") ?? unrecorded(stateDir)
  } catch {
    return unrecorded(stateDir)
  }
}

/** An emulator that runs for the checkout without a record, by what it was started with. */
function unrecorded(stateDir: string): Found | undefined {
  const found = startedWith("STATE_DIR", stateOf(stateDir))
  if (!found) return undefined
  const { GATEWAY_PORT, FRONT_PORT, AWS_ACCESS_KEY_ID = "" } = found.env
  const ports = { port: Number(GATEWAY_PORT), frontPort: Number(FRONT_PORT) }
  return { process: found.process, ...ports, rootKey: AWS_ACCESS_KEY_ID }
}

/** Where the emulator keeps its state. */
export function stateOf(stateDir: string): string {
  return join(stateDir, "aws")
}

/** The emulator's log file. */
export function emulatorLog(stateDir: string): string {
  return join(stateDir, "emulator.log")
}

function describe(found: Found, session: Session): Emulator {
  return {
    port: found.port,
    region: WORLD.region,
    accountId: WORLD.accountId,
    appUrl: `http://127.0.0.1:${found.frontPort}`,
    env: {
      AWS_ACCESS_KEY_ID: session.id,
      AWS_SECRET_ACCESS_KEY: session.secret,
      AWS_SESSION_TOKEN: session.token,
      AWS_REGION: WORLD.region,
    },
  }
}
