import { randomBytes } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Running } from "../machine/kept.js"
import { readKept } from "../machine/kept.js"
import { ensurePython } from "../machine/packages.js"
import { freePorts, isRunning, startDetached } from "../machine/process.js"
import { checkoutLabel } from "./containers.js"
import { type EmulatorOptions, emulatorLog, stateOf } from "./emulator.js"
import { WORLD } from "./names.js"

type Record = NonNullable<Running["emulator"]>

/**
 * Starts the emulator's process on the ports and with the root key it had before, where they are known and free, and
 * waits until it answers. Throws with the end of its log when it doesn't.
 */
export async function startEmulator(options: EmulatorOptions, before: Record | undefined): Promise<Record> {
  const { stateDir, log } = options
  const python = await ensurePython(join(import.meta.dirname, "requirements.txt"), log)
  const [port = 0, frontPort = 0] = await freePorts([before?.port, before?.frontPort])
  const rootKey = before?.rootKey ?? `ROOT${randomBytes(8).toString("hex").toUpperCase()}`
  const state = stateOf(stateDir)
  mkdirSync(state, { recursive: true })
  // The emulator would begin without what it can't read, and nobody would know why a service is gone.
  for (const file of readdirSync(state).filter(name => name.endsWith(".json"))) readKept(join(state, file))
  const logFile = emulatorLog(stateDir)
  const env = environment(options, { port, frontPort, rootKey })
  const process = await startDetached(python, [join(import.meta.dirname, "emulator.py")], { logFile, env })
  const deadline = Date.now() + 30_000
  while (isRunning(process) && Date.now() < deadline) {
    const answer = await fetch(`http://127.0.0.1:${port}/_ministack/health`).catch(() => undefined)
    if (answer?.ok) return { process, port, frontPort, rootKey }
    await sleep(50)
  }
  const end = readFileSync(logFile, "utf8").trim().split("\n").slice(-10).join("\n")
  throw new Error(`The AWS emulator did not come up. Its log (${logFile}) ends with:\n${end}`)
}

function environment(options: EmulatorOptions, own: { port: number; frontPort: number; rootKey: string }) {
  // The user's own AWS settings have no place in the emulator: it takes its root user's key from the same variables.
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
    STATE_DIR: stateOf(options.stateDir),
    STEADY_SECONDS: String(options.steadySeconds ?? 1),
  }
}
