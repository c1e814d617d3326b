import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { ensurePython } from "../../offline/machine/packages.js"

const requirements = join(import.meta.dirname, "../../offline/aws/requirements.txt")

/** The AWS emulator, on its own: no Docker (so no task ever runs), no state, and the default account's root user. */
export async function startEmulator(): Promise<{ endpoint: string; stop: () => Promise<void> }> {
  const python = await ensurePython(requirements, () => {})
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), "emulator-"))
  const log = join(folder, "log")
  const child = spawn(python, ["-m", "ministack"], {
    cwd: folder,
    stdio: ["ignore", openSync(log, "w"), openSync(log, "a")],
    env: {
      PATH: process.env.PATH,
      BIND_HOST: "127.0.0.1",
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: "eu-north-1",
      DOCKER_HOST: "tcp://127.0.0.1:9",
      IOT_MTLS_ENABLED: "0",
      SFTP_ENABLED: "0",
    },
  })
  const endpoint = `http://127.0.0.1:${port}`
  const stop = async () => {
    if (child.exitCode === null && child.kill()) await once(child, "exit")
    rmSync(folder, { recursive: true, force: true })
  }
  for (let tries = 0; tries < 600 && child.exitCode === null; tries++) {
    const answer = await fetch(`${endpoint}/_ministack/health`).catch(() => undefined)
    if (answer?.ok) return { endpoint, stop }
    await sleep(50)
  }
  const end = readFileSync(log, "utf8").slice(-2000)
  await stop()
  throw new Error(`The emulator did not come up:\n${end}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  return typeof address === "object" ? (address?.port ?? 0) : 0
}
