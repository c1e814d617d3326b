import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer as createHttpServer } from "node:http"
import { type AddressInfo, connect, createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { claim, refuseWithoutRight } from "../../src/git/claim.js"
import { git } from "./histories.js"
import { localShell } from "./local-shell.js"

const folder = mkdtempSync(join(tmpdir(), "claim-"))
const [remote, one, two] = ["remote.git", "one", "two"].map(name => join(folder, name)) as [
  string,
  string,
  string,
]
let daemon: ChildProcess
let port: number
let shas: { one: string; two: string }

const freePort = async () => {
  const server = createServer()
  const free = await listening(server)
  await new Promise(resolve => server.close(resolve))
  return free
}

beforeAll(async () => {
  mkdirSync(remote)
  git(remote, ["init", "-q", "--bare", "-b", "main"])
  port = await freePort()
  daemon = spawn(
    "git",
    [
      "daemon",
      "--listen=127.0.0.1",
      `--port=${port}`,
      `--base-path=${folder}`,
      "--export-all",
      "--enable=receive-pack",
    ],
    { stdio: "ignore", detached: true },
  )
  const identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
  git(folder, ["clone", "-q", remote, one])
  git(one, [...identity, "commit", "-q", "--allow-empty", "-m", "feat: base"])
  git(one, ["push", "-q", "origin", "HEAD:main"])
  git(folder, ["clone", "-q", remote, two])
  git(one, [...identity, "commit", "-q", "--allow-empty", "-m", "fix: one"])
  git(two, [...identity, "commit", "-q", "--allow-empty", "-m", "fix: two"])
  shas = { one: git(one, ["rev-parse", "HEAD"]), two: git(two, ["rev-parse", "HEAD"]) }
  await vi.waitFor(async () => {
    if ((await localShell(one)(`git ls-remote ${url()}`)).code !== 0)
      throw new Error("the git daemon does not answer")
  }, 60_000)
})

afterAll(() => {
  if (daemon.pid) process.kill(-daemon.pid)
  rmSync(folder, { recursive: true })
})

/** Starts a server on a free loopback port. */
async function listening<S extends Server>(server: S): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  return (server.address() as AddressInfo).port
}

const url = (through = port) => `git://127.0.0.1:${through}/remote.git`
const held = (tag: string) => git(remote, ["rev-parse", "-q", "--verify", `refs/tags/${tag}`])

test("of two commits that claim the same number at once one wins, a hundred times", async () => {
  const numbers = Array.from({ length: 100 }, (_, i) => `v0.0.${i}`)
  const contend = async (tag: string) => {
    const [a, b] = await Promise.all([
      claim(localShell(one), url(), shas.one, tag),
      claim(localShell(two), url(), shas.two, tag),
    ])
    expect([a.won, b.won].filter(Boolean), tag).toHaveLength(1)
    const loser = a.won ? b : a
    expect(loser, tag).toEqual({ won: false, holder: a.won ? shas.one : shas.two })
    expect(held(tag), tag).toBe(a.won ? shas.one : shas.two)
    return a.won
  }
  for (let i = 0; i < numbers.length; i += 5) await Promise.all(numbers.slice(i, i + 5).map(contend))
})

test("the same commit may claim its number again", async () => {
  expect(await claim(localShell(one), url(), shas.one, "v1.0.0")).toEqual({ won: true, repeated: false })
  expect(await claim(localShell(one), url(), shas.one, "v1.0.0")).toEqual({ won: true, repeated: true })
})

test("two claims of one number by one commit at once both succeed", async () => {
  const claims = await Promise.all([1, 2].map(() => claim(localShell(one), url(), shas.one, "v1.0.1")))
  expect(claims.every(({ won }) => won)).toBe(true)
})

test("an annotated tag on the commit is its claim too", async () => {
  git(remote, [
    "-c",
    "user.name=A",
    "-c",
    "user.email=a@example.com",
    "tag",
    "-a",
    "-m",
    "x",
    "v1.0.2",
    "main",
  ])
  const base = git(remote, ["rev-parse", "main"])
  expect(await claim(localShell(one), url(), base, "v1.0.2")).toEqual({ won: true, repeated: true })
})

test("if the remote refuses, the error has its words, before anything is built and at the claim", async () => {
  const hook = join(remote, "hooks", "update")
  mkdirSync(join(remote, "hooks"), { recursive: true })
  writeFileSync(hook, '#!/bin/sh\necho "releases are frozen: permission denied" >&2\nexit 1\n')
  chmodSync(hook, 0o755)
  try {
    await expect(claim(localShell(one), url(), shas.one, "v1.1.0")).rejects.toThrow(
      /v1\.1\.0 cannot be claimed/,
    )
  } finally {
    rmSync(hook)
  }
  expect(() => held("v1.1.0")).toThrow()
  expect(await claim(localShell(one), url(), shas.one, "v1.1.0")).toMatchObject({ won: true })
  await expect(refuseWithoutRight(localShell(one), url(), shas.one, "v1.2.0")).resolves.toBeUndefined()
})

test("a remote that is gone is an error that says so", async () => {
  const gone = await freePort()
  const found = claim(localShell(one), url(gone), shas.one, "v1.3.0")
  await expect(found).rejects.toThrow(/cannot be claimed at git:[\s\S]*refused[\s\S]*→ Nothing is lost/)
})

test("a push whose answer is lost is not a failure: the remote is asked who holds the tag", async () => {
  let cut = 0
  const proxy: Server = createServer(client => {
    const upstream = connect(port, "127.0.0.1")
    let pushing = false
    client.on("data", data => {
      pushing ||= data.includes("git-receive-pack")
      upstream.write(data)
    })
    upstream.on("data", data => {
      // The server's report of the push never arrives.
      if (pushing && data.includes("unpack ok")) {
        cut += 1
        client.destroy()
      } else client.write(data)
    })
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on("close", () => to.destroy())
      from.on("error", () => to.destroy())
    }
  })
  try {
    const through = await listening(proxy)
    expect(await claim(localShell(one), url(through), shas.one, "v1.4.0")).toEqual({
      won: true,
      repeated: true,
    })
    expect(cut).toBe(1)
    expect(held("v1.4.0")).toBe(shas.one)
  } finally {
    proxy.close()
  }
})

test("a remote that hangs ends in an error", async () => {
  const silent = createHttpServer(() => {})
  try {
    const at = `http://127.0.0.1:${await listening(silent)}/remote.git`
    await expect(refuseWithoutRight(localShell(one), at, shas.one, "v1.5.0")).rejects.toThrow(
      /Nothing is lost/,
    )
  } finally {
    silent.closeAllConnections()
    silent.close()
  }
})

test("a remote that wants a token gets it, says what to set, and the token stays out of every argument list and message", async () => {
  const seen: string[] = []
  const locked = createHttpServer((request, answer) => {
    seen.push(request.headers.authorization ?? "")
    answer.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end()
  })
  try {
    const host = `http://127.0.0.1:${await listening(locked)}`
    const token = { GIT_USERNAME: "x-access-token", GIT_TOKEN: "s3cret" }
    const refused = (environment: object) =>
      refuseWithoutRight(
        localShell(one, { ...token, ...environment }),
        `${host}/remote.git`,
        shas.one,
        "v1.6.0",
      ).catch(String)
    for (const other of ["https://127.0.0.1", host.replace(":", "s:"), `${host}1`]) {
      expect(await refused({ GIT_TOKEN_FOR: other })).toMatch(/--git-token/)
      expect(seen.join("")).toBe("")
    }
    const failed = await refused({ GIT_TOKEN_FOR: host })
    expect(failed).toMatch(/--git-token/)
    expect(failed).not.toMatch(/s3cret/)
    expect(seen).toContain(`Basic ${Buffer.from("x-access-token:s3cret").toString("base64")}`)
  } finally {
    locked.close()
  }
})

test("the token does not follow a redirect to another host", async () => {
  const seen: string[] = []
  const thief = createHttpServer((request, answer) => {
    seen.push(request.url ?? "")
    answer.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end()
  })
  const elsewhere = `http://127.0.0.1:${await listening(thief)}`
  const moved = createHttpServer((request, answer) => {
    answer.writeHead(301, { location: `${elsewhere}${request.url}` }).end()
  })
  try {
    const host = `http://127.0.0.1:${await listening(moved)}`
    const shell = localShell(one, { GIT_USERNAME: "x", GIT_TOKEN: "s3cret", GIT_TOKEN_FOR: host })
    await expect(refuseWithoutRight(shell, `${host}/remote.git`, shas.one, "v1.6.1")).rejects.toThrow(
      /redirects to another[\s\S]*--git-remote/,
    )
    expect(seen).toEqual([])
  } finally {
    thief.close()
    moved.close()
  }
})

test("a server's words are printable and short, whatever it says", async () => {
  const hook = join(remote, "hooks", "update")
  mkdirSync(join(remote, "hooks"), { recursive: true })
  const words = `\\033[2J\\033]0;owned\\007 \\342\\200\\256 denied ${"x".repeat(100_000)}`
  writeFileSync(hook, `#!/bin/sh\nprintf '${words}' >&2\nexit 1\n`)
  chmodSync(hook, 0o755)
  try {
    const failed = await claim(localShell(one), url(), shas.one, "v1.6.2").catch(String)
    expect(failed).toMatch(/denied x+…/)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
    expect(failed).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    expect(String(failed).length).toBeLessThan(5_000)
  } finally {
    rmSync(hook)
  }
})
