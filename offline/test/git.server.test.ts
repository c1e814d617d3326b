import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ensureGitRemote, type GitRemote, recordOf, resetGitRemote } from "../git/remote.js"

const log = () => {}
const stateDir = mkdtempSync(join(tmpdir(), "git-server-"))
const source = join(stateDir, "100% ours & more")
let remote: GitRemote
let first: unknown

beforeAll(async () => {
  mkdirSync(source)
  execFileSync("git", ["init", "-q", "-b", "main", source])
  const identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
  execFileSync("git", [...identity, "-C", source, "commit", "-q", "--allow-empty", "-m", "feat: one"])
  execFileSync("git", ["init", "-q", "--bare", join(stateDir, "outside.git")])
  remote = await ensureGitRemote({ stateDir, source, log })
  first = recordOf(stateDir)?.process
})

afterAll(async () => {
  await resetGitRemote(stateDir)
  rmSync(stateDir, { recursive: true })
})

/** Sends text as it is, and gives the status and all that was answered. */
function send(text: string): Promise<{ status: number; text: string }> {
  return new Promise(resolve => {
    let answer = ""
    const socket = connect(remote.port, "127.0.0.1", () => socket.write(text))
    socket.on("data", data => {
      answer += data
    })
    socket.once("error", () => {}) // a refusal may come while more is being sent
    socket.once("close", () =>
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]), text: answer }),
    )
  })
}

/** A request with the token; its sender reads until the connection ends. */
function asked(target: string, { method = "GET", fields = [] as string[], body = "" } = {}): string {
  const authorization = `Authorization: Basic ${Buffer.from(`x:${remote.token}`).toString("base64")}`
  const head = [
    `${method} ${target} HTTP/1.1`,
    "Host: 127.0.0.1",
    authorization,
    "Connection: close",
    ...fields,
  ]
  return `${head.join("\r\n")}\r\n\r\n${body}`
}

/** What a client gets to see, which shows that the server is well. */
function lsRemote(): string {
  const url = `http://x:${remote.token}@127.0.0.1:${remote.port}${remote.path}`
  return execFileSync("git", ["ls-remote", url], { encoding: "utf8" })
}

const SERVICE = "info/refs?service=git-upload-pack"

describe("the git server", () => {
  it("serves a work tree of any name", async () => {
    expect(lsRemote()).toContain("refs/heads/main")
    expect((await send(asked(`${remote.path}/${SERVICE}`))).status).toBe(200)
  })

  it.each([
    ...[`/%/${SERVICE}`, `/%zz.git/${SERVICE}`, `/%c3%28.git/${SERVICE}`, `/a%00.git/${SERVICE}`, "/%2e%2e"],
    ...["//", "///", `//evil/${SERVICE}`, "*", "?", `http://[/${SERVICE}`, "http://", "a:b"],
    ...[`/../outside.git/${SERVICE}`, `/%2e%2e/outside.git/${SERVICE}`, `/..%2foutside.git/${SERVICE}`],
    ...["/../git.json", "/%2e%2e/git.json", `/x/../../outside.git/${SERVICE}`, `/..\\outside.git/${SERVICE}`],
    ...[
      `http://evil.example/x.git/${SERVICE}`,
      `file:///x.git/${SERVICE}`,
      `/${"a".repeat(15_000)}/${SERVICE}`,
    ],
    ...[
      `/${"a/".repeat(7000)}${SERVICE}`,
      `/${"%2e%2e%2f".repeat(1500)}etc/passwd`,
      `/${"a".repeat(100_000)}`,
    ],
    ...["/x.git/info/refs?service=%00", "/missing.git/HEAD", `/missing.git/${SERVICE}`],
  ])("answers path %# with a refusal, and lives", async target => {
    const { status, text } = await send(asked(target))
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(text).not.toContain(remote.token)
    expect(lsRemote()).toContain("refs/heads/main")
    expect(recordOf(stateDir)?.process).toEqual(first)
  })

  it.each([
    ["no HTTP", "\0\0\0\r\n\r\n"],
    ["TLS", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n"],
    ["a bare NUL", `GET /a\0b.git/${SERVICE} HTTP/1.1\r\nHost: a\r\n\r\n`],
    ["a field that never ends", `GET / HTTP/1.1\r\nHost: ${"a".repeat(100_000)}\r\n\r\n`],
    ["a body of two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
  ])("answers %s with a refusal, and lives", async (_, text) => {
    const { status } = await send(text)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(lsRemote()).toContain("refs/heads/main")
  })

  it("refuses other methods, and a body that isn't what it says", async () => {
    for (const method of ["PUT", "DELETE", "OPTIONS", "HEAD"]) {
      expect((await send(asked(`${remote.path}/${SERVICE}`, { method }))).status).toBe(405)
    }
    const fields = ["Content-Encoding: gzip", "Content-Length: 4"]
    const type = "Content-Type: application/x-git-upload-pack-request"
    const request = { method: "POST", fields: [...fields, type], body: "nope" }
    expect((await send(asked(`${remote.path}/git-upload-pack`, request))).status).toBe(400)
  })

  it("survives a client that leaves in the middle", async () => {
    for (let times = 0; times < 10; times++) {
      const socket = connect(remote.port, "127.0.0.1")
      await once(socket, "connect")
      socket.write(asked(`${remote.path}/${SERVICE}`))
      if (times % 2) await once(socket, "data")
      socket.destroy()
    }
    expect(lsRemote()).toContain("refs/heads/main")
    expect(recordOf(stateDir)?.process).toEqual(first)
  })

  it("serves no file of a repository", async () => {
    writeFileSync(join(stateDir, "git", "secret"), "secret")
    for (const file of ["config", "HEAD", "mirrored", "objects/info/packs"]) {
      expect((await send(asked(`${remote.path}/${file}`))).status).toBe(404)
    }
    expect((await send(asked("/secret"))).status).toBe(404)
  })
})
