import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { fetchHead, headWithMissing } from "../../src/git/fetch.js"
import { readHead } from "../../src/git/head.js"
import { commitIn, git } from "./histories.js"
import { localHistory, versionOfClone } from "./local-shell.js"

const folder = mkdtempSync(join(tmpdir(), "clones-"))
const remote = join(folder, "remote")
const url = `file://${remote}`
afterAll(() => rmSync(folder, { recursive: true }))

beforeAll(() => {
  git(folder, ["init", "-q", "-b", "main", remote])
  git(remote, ["config", "uploadpack.allowFilter", "true"])
  const commit = (message: string) => commitIn(remote, message)
  commit("chore: init")
  git(remote, ["tag", "v1.2.3"])
  commit("feat: a")
  git(remote, ["tag", "v1.3.0"])
  commit("fix: b")
})

const clone = (name: string, ...options: string[]) => {
  git(folder, ["clone", "-q", ...options, url, join(folder, name)])
  return join(folder, name)
}

test.each([
  ["full"],
  ["bare", "--bare"],
  ["blobless", "--filter=blob:none"],
  ["treeless", "--filter=tree:0"],
  ["single-branch", "--single-branch", "--branch", "main"],
])("a %s clone gives the same version", async (name, ...options) => {
  expect(await versionOfClone(clone(name, ...options))).toMatchObject({ current: "1.3.0", next: "1.3.1" })
})

test("a detached clone and a linked work tree give it too", async () => {
  const full = clone("main")
  git(full, ["worktree", "add", "-q", "--detach", join(folder, "linked")])
  git(full, ["checkout", "-q", "--detach"])
  for (const place of [full, join(folder, "linked")]) {
    expect(await versionOfClone(place)).toMatchObject({ current: "1.3.0", next: "1.3.1" })
  }
})

test("a clone's own settings, grafts and replacements change nothing", async () => {
  const bent = clone("bent")
  for (const setting of [
    "log.showSignature=true",
    "log.mailmap=true",
    "format.pretty=oneline",
    "color.ui=always",
  ]) {
    git(bent, ["config", ...(setting.split("=") as [string, string])])
  }
  git(bent, ["-c", "user.name=A", "-c", "user.email=a@example.com", "replace", "--graft", "HEAD"])
  expect(await versionOfClone(bent)).toMatchObject({ current: "1.3.0", next: "1.3.1" })
})

test("tags that the remote has and the clone lacks are found, or fetched", async () => {
  const { shell, source } = await localHistory(clone("tagless", "--no-tags"))
  expect(source.noTags).toBe(true)
  const head = await readHead(shell, "")
  expect(head).toMatchObject({ known: [], shallow: false })
  expect((await headWithMissing(shell, url, "")).missing).toEqual(["v1.2.3", "v1.3.0"])
  expect((await headWithMissing(shell, `${url}-gone`, "")).missing).toBeUndefined()
  expect(await fetchHead(shell, url, "")).toEqual({ head: expect.anything(), hasBranch: true })
  const fetched = await readHead(shell, "")
  expect(fetched.merged.map(({ tag }) => tag)).toEqual(["v1.3.0", "v1.2.3"])
})

test("a shallow clone is known as one, and completed from the remote", async () => {
  const { shell } = await localHistory(clone("shallow", "--depth", "1", "--no-tags"))
  expect((await readHead(shell, "")).shallow).toBe(true)
  expect((await fetchHead(shell, url, "")).failed).toBeUndefined()
  expect(await readHead(shell, "")).toMatchObject({ shallow: false, merged: [{}, {}] })
})

test("a clone's own tags that were never pushed, and stale locks, count for nothing once the remote is asked", async () => {
  const place = clone("own-tags")
  git(place, ["tag", "v7.0.0", "HEAD~1"])
  git(place, ["tag", "-d", "v1.3.0"])
  git(place, ["tag", "v1.3.0/x", "HEAD~1"])
  const { shell } = await localHistory(place)
  expect((await fetchHead(shell, url, "", undefined, { branch: "" })).failed).toBeUndefined()
  expect(await readHead(shell, "")).toMatchObject({
    merged: [{ version: "1.3.0" }, { version: "1.2.3" }],
    known: [{}, {}],
    onBranch: true,
  })
})

test("the release branch is asked for by name, and one that does not exist is reported", async () => {
  const place = clone("branches")
  const { shell } = await localHistory(place)
  expect(await fetchHead(shell, url, "", undefined, { branch: "main" })).toEqual({
    head: expect.anything(),
    hasBranch: true,
  })
  expect((await readHead(shell, "")).onBranch).toBe(true)
  expect(await fetchHead(shell, url, "", undefined, { branch: "nope" })).toEqual({
    head: expect.anything(),
    hasBranch: false,
  })
  expect((await readHead(shell, "")).onBranch).toBeUndefined()
})

test("a remote that is gone leaves git's words, without the credentials of its URL", async () => {
  const gone = "http://user:s3cret@127.0.0.1:1/x.git"
  const { failed: words } = await fetchHead((await localHistory(clone("words"))).shell, gone, "")
  expect(words).toMatch(/127\.0\.0\.1/)
  expect(words).not.toMatch(/s3cret/)
})

test("a fetch ends in time although a child of git outlives its time limit", async () => {
  // Like BusyBox's, this timeout ends git alone, and not what git has started.
  const bin = join(folder, "bin")
  mkdirSync(bin)
  writeFileSync(
    join(bin, "timeout"),
    '#!/bin/sh\nshift\n"$@" &\npid=$!\nsleep 2; kill $pid 2> /dev/null\nwait $pid\n',
  )
  chmodSync(join(bin, "timeout"), 0o755)
  const silent = createServer()
  await new Promise<void>(resolve => silent.listen(0, "127.0.0.1", resolve))
  try {
    const environment = { PATH: `${bin}:${process.env.PATH}` }
    const { shell } = await localHistory(clone("hanging"), { environment })
    const at = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/r.git`
    expect((await fetchHead(shell, at, "")).failed).toBeDefined()
    // The child is still there, with its connection.
    expect(await new Promise(resolve => silent.getConnections((_, open) => resolve(open)))).toBe(1)
  } finally {
    silent.close()
  }
})

test("a tag prefix keeps the versions of two apps apart", async () => {
  const place = clone("mono")
  git(place, ["tag", "api/v0.4.0", "v1.3.0"])
  expect(await versionOfClone(place, { prefix: "api/" })).toMatchObject({ current: "0.4.0", next: "0.4.1" })
  expect(await versionOfClone(place)).toMatchObject({ current: "1.3.0", next: "1.3.1" })
})
