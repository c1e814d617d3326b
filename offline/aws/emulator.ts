import { randomBytes } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { DockerTarget } from "../machine/docker.js"
import { type Log, machineHome } from "../machine/home.js"
import { readKept, writeKept } from "../machine/kept.js"
import { withLock } from "../machine/lock.js"
import { ensurePython } from "../machine/packages.js"
import { freePorts, isRunning, type Owned, startDetached, startedWith, stop } from "../machine/process.js"
import type { Session } from "./account.js"
import { checkoutLabel, removeTaskContainers, removeTaskImages } from "./containers.js"
import { WORLD } from "./names.js"

/** Credentials with less time left than this are renewed: a release must not outlive them. */
const RENEW_MS = 4 * 3600_000

/** Loaded only when an account is created or its credentials are renewed: loading the AWS SDK takes longer than finding what runs. */
const account = () => import("./account.js")

/** The checkout's record of its emulator. */
interface Found {
  /** Missing after an orderly stop. */
  process?: Owned
  /** The port of the AWS APIs and of the registry. */
  port: number
  /** The port of the load balancer. */
  frontPort: number
  /** Access key id of the account's root user. */
  rootKey: string
  /** The pipeline's credentials; missing until the account is made. */
  session?: Session
}

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

/** The options that the emulator is started with. */
export interface EmulatorOptions {
  docker: DockerTarget
  /** The checkout's directory for state. */
  stateDir: string
  log: Log
  /** Seconds a new task has to pass its health check; 5 by default. */
  healthSeconds?: number
}

/**
 * Finds the checkout's running AWS emulator, or starts it and creates its account. It outlives the command, and keeps
 * its ports, its credentials and its state: all of it after a stop; after a kill, as much as was written by then.
 */
export async function ensureEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { docker, stateDir, log } = options
  const running = await runningEmulator(stateDir)
  if (running) return running
  mkdirSync(stateDir, { recursive: true })
  return withLock(join(stateDir, "emulator.lock"), "the AWS emulator", log, async () => {
    const meanwhile = await runningEmulator(stateDir)
    if (meanwhile) return meanwhile
    const left = recordOf(stateDir) ?? unrecorded(stateDir)
    if (left?.process) {
      log("the AWS emulator had stopped on its own: restarting it with the state it saved")
      await end(docker, stateDir, left)
    } else log("starting the AWS emulator")
    const { makeAccount, openSession } = await account()
    const started = await startEmulator(options, left)
    writeKept(recordFile(stateDir), started)
    await makeAccount(docker, started, log)
    const session = await openSession(started)
    writeKept(recordFile(stateDir), { ...started, session })
    return describe(started, session)
  })
}

/**
 * Starts the emulator's process on the ports and with the root key it had before, if they are known and free, and
 * waits until it answers. Throws with the end of its log when it doesn't.
 */
export async function startEmulator(options: EmulatorOptions, before: Found | undefined): Promise<Found> {
  const { stateDir, log } = options
  const python = await ensurePython(join(import.meta.dirname, "requirements.txt"), log)
  const [port = 0, frontPort = 0] = await freePorts([before?.port, before?.frontPort])
  const rootKey = before?.rootKey ?? `ROOT${randomBytes(8).toString("hex").toUpperCase()}`
  const state = stateOf(stateDir)
  mkdirSync(state, { recursive: true })
  // The emulator would start without the state that it can't read, and nobody would know why a service is gone.
  for (const file of readdirSync(state).filter(name => name.endsWith(".json"))) readKept(join(state, file))
  const logFile = emulatorLog(stateDir)
  const env = environment(options, { port, frontPort, rootKey })
  const process = await startDetached(python, [join(import.meta.dirname, "emulator.py")], { logFile, env })
  const deadline = Date.now() + 90_000
  while (isRunning(process) && Date.now() < deadline) {
    const answer = await fetch(`http://127.0.0.1:${port}/_ministack/health`).catch(() => undefined)
    if (answer?.ok) return { process, port, frontPort, rootKey }
    await sleep(50)
  }
  const end = readFileSync(logFile, "utf8").trim().split("\n").slice(-10).join("\n")
  throw new Error(`The AWS emulator did not come up. Its log (${logFile}) ends with:\n${end}`)
}

function environment(options: EmulatorOptions, own: { port: number; frontPort: number; rootKey: string }) {
  // The user's own AWS settings don't belong in the emulator: it takes its root user's key from the same variables.
  const users = Object.entries(globalThis.process.env).filter(([name]) => !name.startsWith("AWS_"))
  return {
    ...Object.fromEntries(users),
    AUTH: "true",
    AWS_ACCESS_KEY_ID: own.rootKey,
    AWS_SECRET_ACCESS_KEY: randomBytes(16).toString("hex"),
    DOCKER_HOST: options.docker.host,
    ECS_RESTORE_RECONCILE_DELAY_SECONDS: "0.2",
    FRONT_PORT: String(own.frontPort),
    GATEWAY_PORT: String(own.port),
    HEALTH_SECONDS: String(options.healthSeconds ?? 5),
    HOSTNAME: "none",
    IOT_MTLS_ENABLED: "0",
    MINISTACK_ACCOUNT_ID: WORLD.accountId,
    MINISTACK_DOCKER_TIMEOUT: "60",
    MINISTACK_HOSTNAME: checkoutLabel(options.stateDir),
    MINISTACK_REGION: WORLD.region,
    PERSIST_STATE: "1",
    PYTHONDONTWRITEBYTECODE: "1",
    SFTP_ENABLED: "0",
    SHARED_BLOBS: join(machineHome(), "blobs"),
    STATE_DIR: stateOf(options.stateDir),
  }
}

/** The checkout's emulator if it runs and is ready, with credentials that last; else undefined. */
async function runningEmulator(stateDir: string): Promise<Emulator | undefined> {
  const found = recordOf(stateDir)
  if (!found?.session || !isRunning(found.process)) return undefined
  if (found.session.until - Date.now() > RENEW_MS) return describe(found, found.session)
  const { openSession } = await account()
  const session = await openSession(found)
  writeKept(recordFile(stateDir), { ...found, session })
  return describe(found, session)
}

/** Ends the emulator, and with it the service's containers. Its state and its ports stay for the next start. */
export async function stopEmulator(docker: DockerTarget, stateDir: string): Promise<void> {
  const found = recordOf(stateDir)
  if (!found?.process) return
  await end(docker, stateDir, found)
  writeKept(recordFile(stateDir), { ...found, process: undefined })
}

async function end(docker: DockerTarget, stateDir: string, found: Found): Promise<void> {
  await stop(found.process, 20)
  await removeTaskContainers(docker, stateDir, found.port)
}

/** Stops the emulator and deletes everything in it: images, releases, credentials, logs. */
export async function resetEmulator(docker: DockerTarget, stateDir: string): Promise<void> {
  const found = lastKnown(stateDir)
  if (found) {
    await end(docker, stateDir, found)
    await removeTaskImages(docker, found.port)
  }
  rmSync(stateOf(stateDir), { recursive: true, force: true })
  rmSync(emulatorLog(stateDir), { force: true })
  writeKept(recordFile(stateDir), undefined)
}

/** The emulator's record or, if that is damaged or was never written, what its process shows. */
function lastKnown(stateDir: string): Found | undefined {
  try {
    return recordOf(stateDir) ?? unrecorded(stateDir)
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

/** What is known of the checkout's emulator. Throws if the record is damaged. */
export function recordOf(stateDir: string): Found | undefined {
  return readKept(recordFile(stateDir))
}

function recordFile(stateDir: string): string {
  return join(stateDir, "emulator.json")
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
