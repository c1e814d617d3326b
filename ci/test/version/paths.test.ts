import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeEach, describe, expect, it } from "vitest"
import { commitIn, git } from "../git/histories.js"
import { versionOfClone } from "../git/local-shell.js"

// Which commits count for an app of a monorepo.

const folder = mkdtempSync(join(tmpdir(), "paths-"))
afterAll(() => rmSync(folder, { recursive: true }))

let clone = ""
let count = 0
beforeEach(() => {
  count += 1
  clone = join(folder, `${count}`)
  git(folder, ["init", "-q", "-b", "main", clone])
  for (const path of ["services/api/a", "services/[id]/a", "libs/shared/a", "site/a"]) change(path)
  commitIn(clone, "feat: begin")
  git(clone, ["tag", "v1.0.0"])
})

function change(path: string) {
  mkdirSync(dirname(join(clone, path)), { recursive: true })
  writeFileSync(join(clone, path), `${Math.random()}`)
  git(clone, ["add", "-A"])
}
const commit = (message: string, path: string) => {
  change(path)
  commitIn(clone, message)
}
const next = async (path: string) => (await versionOfClone(clone, { path })).next

describe("commits count", () => {
  it("if they touch one of several paths", async () => {
    commit("fix: in the library", "libs/shared/b")
    expect(await next("services/api")).toBeNull()
    expect(await next("services/api, libs/shared")).toBe("1.0.1")
    expect(await next("./services/api/,./libs/shared/")).toBe("1.0.1")
    expect(await next(".")).toBe("1.0.1")
  })

  it("by the path as it is written, not as a pattern", async () => {
    commit("fix: in a folder with brackets", "services/[id]/b")
    expect(await next("services/[id]")).toBe("1.0.1")
    commit("feat: elsewhere", "services/i/b")
    expect(await next("services/[id]")).toBe("1.0.1")
  })

  it("if they are merges that bring such commits", async () => {
    git(clone, ["checkout", "-q", "-b", "topic"])
    commit("wip", "services/api/b")
    git(clone, ["checkout", "-q", "main"])
    commit("docs: meanwhile", "site/b")
    git(clone, ["merge", "-q", "--no-ff", "-m", "feat: a feature (#1)", "topic"])
    expect(await next("")).toBe("1.1.0")
    expect(await next("services/api")).toBe("1.1.0")
    expect(await next("site")).toBeNull()
  })
})

it("a revert of a merge cancels what it brought to the path", async () => {
  git(clone, ["checkout", "-q", "-b", "topic"])
  commit("feat!: x", "services/api/b")
  commit("docs: elsewhere", "site/b")
  git(clone, ["checkout", "-q", "main"])
  git(clone, ["merge", "-q", "--no-ff", "-m", "Merge branch 'topic'", "topic"])
  expect(await next("services/api")).toBe("2.0.0")
  git(clone, ["revert", "-m", "1", "--no-edit", "HEAD"])
  expect(await next("services/api")).toBeNull()
  expect(await next("")).toBeNull()
})

it("a revert of the part of a commit that is elsewhere cancels nothing here", async () => {
  change("services/api/b")
  commit("feat: both", "libs/shared/b")
  const both = git(clone, ["rev-parse", "HEAD"])
  git(clone, ["rm", "-q", "libs/shared/b"])
  commitIn(clone, `revert: the library's part\n\nThis reverts commit ${both}.`)
  expect(await next("services/api")).toBe("1.1.0")
  expect(await next("libs/shared")).toBeNull()
})

describe("what is said", () => {
  it("names a path that HEAD does not have", async () => {
    commit("fix: in the library", "libs/shared/b")
    const { reason } = await versionOfClone(clone, { path: "services/API,libs" })
    expect(reason).toMatch(/^patch/)
    expect((await versionOfClone(clone, { path: "services/API,lib" })).reason).toBe(
      "nothing to release since 1.0.0: HEAD has no services/API and no lib",
    )
  })

  it("asks for a commit that touches the path", async () => {
    commit("chore: go back\n\nRelease-As: 0.9.0", "services/api/b")
    await expect(next("services/api")).rejects.toThrow(
      /→ Make a commit that changes a file in services\/api with a greater Release-As/,
    )
  })
})
