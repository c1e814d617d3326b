import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { ensureGitRemote, recordOf, resetGitRemote, stopGitRemote } from "../git/remote.js"
import { run } from "../machine/process.js"

const identity = {
  GIT_AUTHOR_NAME: "a",
  GIT_AUTHOR_EMAIL: "a@example.com",
  GIT_COMMITTER_NAME: "a",
  GIT_COMMITTER_EMAIL: "a@example.com",
}
const env = { ...process.env, ...identity, GIT_CONFIG_GLOBAL: "/dev/null", GIT_TERMINAL_PROMPT: "0" }
const lines: string[] = []
const log = (line: string) => {
  lines.push(line)
}

let dir: string
let stateDir: string

function git(cwd: string, ...args: string[]): string {
  return execFileSync("git", ["-C", cwd, ...args], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim()
}

/** A work tree with `count` commits, the first of them tagged v0.1.0. */
function workTree(name: string, count = 2): string {
  const path = join(dir, name)
  execFileSync("git", ["init", "-q", "-b", "main", path], { env })
  for (let number = 1; number <= count; number++) {
    writeFileSync(join(path, "file"), `${name} ${number}\n`)
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", `feat: ${number}`)
    if (number === 1) git(path, "tag", "v0.1.0")
  }
  return path
}

/** Ensures the remote and gives its URL, with or without the token in it. */
async function remote(source: string) {
  const { port, path, token } = await ensureGitRemote({ stateDir, source, log })
  return {
    url: `http://x:${token}@127.0.0.1:${port}${path}`,
    bare: `http://127.0.0.1:${port}${path}`,
    port,
    path,
    token,
  }
}

function refs(url: string): Record<string, string> {
  const listed = git(dir, "ls-remote", url)
  return Object.fromEntries(
    listed
      .split("\n")
      .filter(Boolean)
      .map(line => line.split("\t").reverse() as [string, string]),
  )
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "git-remote-"))
  stateDir = join(dir, "state")
  lines.length = 0
})

afterEach(async () => {
  await resetGitRemote(stateDir)
  rmSync(dir, { recursive: true })
})

describe("the git remote", () => {
  it("knows the work tree's branches, tags and HEAD, and takes over what is new", async () => {
    const source = workTree("app")
    const { url } = await remote(source)
    const head = git(source, "rev-parse", "HEAD")
    expect(refs(url)).toEqual({
      HEAD: head,
      "refs/heads/main": head,
      "refs/tags/v0.1.0": git(source, "rev-parse", "v0.1.0"),
    })
    git(source, "commit", "-q", "--allow-empty", "-m", "fix: more")
    await remote(source)
    expect(refs(url)["refs/heads/main"]).toBe(git(source, "rev-parse", "HEAD"))
    expect(lines).toEqual([])
  })

  it("refuses without the token, for reading as for writing", async () => {
    const source = workTree("app")
    const { bare, url } = await remote(source)
    for (const wrong of [bare, bare.replace("http://", "http://x:wrong@")]) {
      const read = await run("git", ["ls-remote", wrong], { env })
      expect(read.code).toBe(128)
      expect(read.stderr).toMatch(/Authentication failed|could not read Username/)
      expect((await run("git", ["-C", source, "push", wrong, "HEAD:refs/tags/v9.0.0"], { env })).code).toBe(
        128,
      )
    }
    expect((await fetch(`${bare}/info/refs?service=git-upload-pack`)).status).toBe(401)
    expect(refs(url)["refs/tags/v9.0.0"]).toBeUndefined()
  })

  it("keeps a pushed tag, though the work tree makes another of that name", async () => {
    const source = workTree("app")
    const { url } = await remote(source)
    git(source, "push", "-q", url, "HEAD:refs/tags/v0.2.0")
    const claimed = git(source, "rev-parse", "HEAD")
    git(source, "commit", "-q", "--allow-empty", "-m", "fix: later")
    git(source, "tag", "v0.2.0")
    git(source, "tag", "v0.3.0")
    await remote(source)
    expect(refs(url)).toMatchObject({
      "refs/tags/v0.2.0": claimed,
      "refs/tags/v0.3.0": git(source, "rev-parse", "HEAD"),
    })
    expect(lines).toEqual([])
  })

  it("lets one of many concurrent claims of a tag win", async () => {
    const source = workTree("app", 6)
    const { url } = await remote(source)
    const pushes = [0, 1, 2, 3, 4].map(back =>
      run("git", ["-C", source, "push", url, `HEAD~${back}:refs/tags/v1.0.0`], { env }),
    )
    const codes = (await Promise.all(pushes)).map(push => push.code)
    expect(codes.filter(code => code === 0)).toHaveLength(1)
    expect(refs(url)["refs/tags/v1.0.0"]).toBe(git(source, "rev-parse", `HEAD~${codes.indexOf(0)}`))
  })

  it("takes a request that git compresses", async () => {
    const source = workTree("app")
    const { url } = await remote(source)
    // Many wants make git gzip its request: a clone that names all of these refs.
    for (let number = 0; number < 60; number++) {
      git(source, "commit", "-q", "--allow-empty", "-m", `fix: ${number}`)
      git(source, "branch", `b${number}`)
    }
    await remote(source)
    const clone = join(dir, "clone")
    git(dir, "clone", "-q", "--mirror", url, clone)
    expect(git(clone, "rev-parse", "b59")).toBe(git(source, "rev-parse", "HEAD"))
  })

  it("works with an empty, detached, shallow, partial or linked work tree, and without one", async () => {
    const empty = join(dir, "empty")
    execFileSync("git", ["init", "-q", empty], { env })
    expect(refs((await remote(empty)).url)).toEqual({})
    expect(refs((await remote(dir)).url)).toEqual({})

    const full = workTree("full", 4)
    const head = git(full, "rev-parse", "HEAD")
    const clones = {
      shallow: ["--depth", "1"],
      partial: ["--filter=blob:none", "--no-checkout"],
      single: ["--single-branch"],
    }
    for (const [name, options] of Object.entries(clones)) {
      const clone = join(dir, name)
      git(full, "config", "uploadpack.allowFilter", "true")
      git(dir, "clone", "-q", ...options, `file://${full}`, clone)
      // Its origin is a directory: what that has is known here as well, and the clone's own commits are.
      git(clone, "commit", "-q", "--allow-empty", "-m", "fix: own")
      const there = refs((await remote(clone)).url)
      expect(there).toMatchObject({ "refs/heads/main": git(clone, "rev-parse", "HEAD") })
      expect(there["refs/tags/v0.1.0"]).toBe(git(full, "rev-parse", "v0.1.0"))
    }

    git(full, "worktree", "add", "-q", "--detach", join(dir, "linked"), "HEAD~1")
    const linked = join(dir, "linked")
    git(linked, "commit", "-q", "--allow-empty", "-m", "fix: detached")
    const { url } = await remote(linked)
    expect(refs(url)).toMatchObject({
      "refs/heads/main": head,
      "refs/offline/detached": git(linked, "rev-parse", "HEAD"),
    })
    git(linked, "push", "-q", url, "HEAD:refs/tags/v0.9.0")
    expect(lines).toEqual([])
  })

  it("asks no network for a partial or shallow clone of one, and says nothing", async () => {
    const full = workTree("full", 4)
    git(full, "config", "uploadpack.allowFilter", "true")
    for (const options of [
      ["--filter=blob:none", "--no-checkout"],
      ["--depth", "2"],
    ]) {
      const clone = join(dir, options[0] as string)
      git(dir, "clone", "-q", ...options, `file://${full}`, clone)
      git(clone, "remote", "set-url", "origin", "http://192.0.2.1:9/nowhere.git")
      const { url } = await remote(clone)
      expect(refs(url)["refs/heads/main"]).toBe(git(full, "rev-parse", "HEAD"))
      git(clone, "push", "-q", url, "HEAD:refs/tags/v0.8.0")
    }
    expect(lines).toEqual([])
  })

  it("leaves the work tree as it is", async () => {
    const source = workTree("app")
    const print = () =>
      readdirSync(join(source, ".git"), { recursive: true, encoding: "utf8" })
        .sort()
        .map(name => `${name} ${statSync(join(source, ".git", name)).mtimeMs}`)
    const before = print()
    await remote(source)
    expect(print()).toEqual(before)
  })

  it("comes back with port, token and tags after a stop, and is found in little time when it runs", async () => {
    const source = workTree("app")
    const first = await remote(source)
    git(source, "push", "-q", first.url, "HEAD:refs/tags/v0.2.0")
    await stopGitRemote(stateDir)
    await expect(fetch(`http://127.0.0.1:${first.port}/health`)).rejects.toThrow()
    const second = await remote(source)
    expect(second).toEqual(first)
    expect(refs(second.url)["refs/tags/v0.2.0"]).toBe(git(source, "rev-parse", "HEAD"))
    const record = readFileSync(join(stateDir, "git.json"), "utf8")
    await remote(source)
    expect(readFileSync(join(stateDir, "git.json"), "utf8")).toBe(record)
  })

  it("keeps the token from other users and is gone after a reset", async () => {
    const { port } = await remote(workTree("app"))
    expect(statSync(join(stateDir, "git.json")).mode & 0o077).toBe(0)
    expect(readFileSync(join(stateDir, "git.json"), "utf8")).toContain(String(port))
    await resetGitRemote(stateDir)
    expect(existsSync(join(stateDir, "git"))).toBe(false)
    expect(recordOf(stateDir)).toBeUndefined()
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow()
  })
})
