import { mkdtempSync, rmSync } from "node:fs"
import { request } from "node:http"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { startEmulator } from "../aws/emulator.js"
import { ensureDocker } from "../machine/docker.js"
import { stop } from "../machine/process.js"

const stateDir = mkdtempSync(join(tmpdir(), "emulator-"))
let emulator: Awaited<ReturnType<typeof startEmulator>>

beforeAll(async () => {
  const log = () => {}
  emulator = await startEmulator({ docker: await ensureDocker(log), stateDir, log }, undefined)
})

afterAll(async () => {
  await stop(emulator.process, 20)
  rmSync(stateDir, { recursive: true })
})

interface Asked {
  method?: string
  /** Without a port it gets the emulator's. */
  host?: string
  origin?: string
  front?: boolean
}

/** The status of a request, sent as it is: `fetch` would put the path in order and choose the Host itself. */
function status(path: string, asked: Asked = {}): Promise<number> {
  const port = asked.front ? emulator.frontPort : emulator.port
  const { host = "127.0.0.1", method = "GET", origin } = asked
  const headers = { host: /:\d+$/.test(host) ? host : `${host}:${port}`, ...(origin ? { origin } : {}) }
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, method, headers, agent: false }, response => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0))
    })
      .once("error", reject)
      .end()
  })
}

const HEALTH = "/_ministack/health"

describe("the emulator's own endpoints", () => {
  it("are only health", async () => {
    expect(await status(HEALTH)).toBe(200)
    const own = [
      ["POST", "/_ministack/reset"],
      ["POST", "/_ministack/config"],
      ["GET", "/_ministack/ready"],
      ["GET", "/_ministack/sqs/messages"],
      ["GET", "/_ministack/ses/messages"],
      ["GET", "/_ministack/rds/ca.pem"],
      ["POST", "/_ministack/rds/iam-auth"],
      ["GET", "/_ministack/lambda-code/some"],
      ["PUT", "/_ministack/cfn-response/some"],
      ["GET", "/_localstack/health"],
      ["GET", "/_aws/execute-api/some/stage"],
      ["GET", "/_alb/some/_ministack/health"],
      ["POST", "/%5Fministack/reset"],
      ["OPTIONS", "/_ministack/reset"],
    ]
    const answers = own.map(([method, path = ""]) => status(path, { method }))
    expect(await Promise.all(answers)).toEqual(own.map(() => 404))
  })

  it.each([
    "/_ministack/reset?",
    "//_ministack/reset",
    "/x/../_ministack/reset",
    "/_ministack/health/../reset",
  ])("are not reached as %s", async path => {
    expect(await status(path, { method: "POST" })).toBeGreaterThanOrEqual(400)
  })
})

describe("the name that a request has for the emulator", () => {
  it.each([
    ...["127.0.0.1", "localhost", "LOCALHOST.", "[::1]", "127.1.2.3"],
    ...["aws", "5k3dq1v0a2b.dagger.local", "host.docker.internal", "bucket.localhost"],
  ])("may be %s", async host => {
    expect(await status(HEALTH, { host })).toBe(200)
  })

  it.each([
    ...["evil.example", "127.0.0.1.nip.io", "localhost.evil.example", "192.0.2.1", "0x7f.1"],
    ...["127.0.0.1:1", "evil-dagger.local", ".", "[::1].evil.example"],
  ])("may not be %s", async host => {
    expect(await status(HEALTH, { host })).toBe(403)
    expect(await status("/", { host, front: true })).toBe(403)
  })

  it("has its port, and is there", async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(emulator.port, "127.0.0.1", () => socket.end(`GET ${HEALTH} HTTP/1.0\r\n\r\n`))
      socket.once("data", data => resolve(`${data}`)).once("error", reject)
    })
    expect(answer).toMatch(/^HTTP\/1\.1 403 /)
  })
})

describe("a web page", () => {
  it("may use the emulator only if it is the emulator's own", async () => {
    const own = `http://127.0.0.1:${emulator.port}`
    expect(await status(HEALTH, { origin: own })).toBe(200)
    for (const origin of ["https://evil.example", "null", "http://127.0.0.1:1", `${own}.evil.example`]) {
      expect(await status(HEALTH, { origin })).toBe(403)
      expect(await status("/v2/", { origin, method: "OPTIONS" })).toBe(403)
    }
  })

  it("may be from another site for the application, which decides that itself", async () => {
    const origin = "https://www.example"
    expect(await status("/", { front: true, origin })).toBe(await status("/", { front: true }))
  })
})
