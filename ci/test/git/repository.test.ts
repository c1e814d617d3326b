import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { fetchHead } from "../../src/git/fetch.js"
import { readHead } from "../../src/git/head.js"
import { readCommits } from "../../src/git/log.js"
import { inspect } from "../../src/git/repository.js"
import { gitSays } from "../../src/git/shell.js"
import { writeContext } from "../../src/image/context.js"
import { commitIn, git } from "./histories.js"
import { localHistory, localShell } from "./local-shell.js"

const folder = mkdtempSync(join(tmpdir(), "git-"))
afterAll(() => rmSync(folder, { recursive: true }))

let count = 0
const repository = (...options: string[]) => {
  count += 1
  const path = join(folder, `repository-${count}`)
  git(folder, ["init", "-q", "-b", "main", ...options, path])
  writeFileSync(join(path, "file"), "text\n")
  commit(path, "feat: a")
  return path
}
const commit = (path: string, message: string) => {
  git(path, ["add", "-A"])
  commitIn(path, message)
}

describe("the source's configuration is ignored", () => {
  const marker = join(folder, "marker")
  const script = join(folder, "script")
  beforeAll(() => {
    writeFileSync(script, `#!/bin/sh\ntouch ${marker}\ncat\n`)
    chmodSync(script, 0o755)
  })

  /** All that the module does with a source. */
  const useAll = async (path: string) => {
    writeFileSync(join(path, "file"), "changed\n")
    const { shell } = await localHistory(path)
    await readHead(shell, "")
    await readCommits(shell, "", "")
    const to = join(folder, `context-${count}`)
    await writeContext(localShell(path), 1e9, to, ".")
    expect(existsSync(marker)).toBe(false)
    expect(readFileSync(join(to, "file"), "utf8")).toBe("changed\n")
  }

  test.each([
    ["a filter driver", ["filter.evil.clean", script], "* filter=evil"],
    ["a required smudge filter", ["filter.evil.smudge", script], "* filter=evil"],
    ["a process filter", ["filter.evil.process", script], "* filter=evil"],
    ["a diff driver", ["diff.evil.textconv", script], "* diff=evil"],
    ["fsmonitor", ["core.fsmonitor", script], ""],
    ["hooks", ["core.hooksPath", folder], ""],
  ])("%s", async (_, [key = "", value = ""], attributes) => {
    const path = repository()
    git(path, ["config", key, value])
    writeFileSync(join(path, ".git/info/attributes"), attributes)
    await useAll(path)
  })

  test("an include, a worktree's own configuration, grafts, replacements", async () => {
    const path = repository()
    commit(path, "feat: nothing")
    writeFileSync(join(folder, "included"), `[core]\n\tfsmonitor = ${script}\n`)
    git(path, ["config", "include.path", join(folder, "included")])
    git(path, ["config", "extensions.worktreeConfig", "true"])
    git(path, ["config", "--worktree", "core.fsmonitor", script])
    const head = git(path, ["rev-parse", "HEAD"])
    writeFileSync(join(path, ".git/info/grafts"), `${head}\n`)
    await useAll(path)
    expect(await readCommits((await localHistory(path)).shell, "", "")).toHaveLength(2)
  })

  test("a submodule's, wherever its git directory is", async () => {
    const path = repository()
    const inner = join(path, "lib")
    git(folder, ["init", "-q", "-b", "main", inner])
    writeFileSync(join(inner, "inside"), "inside\n")
    commit(inner, "feat: inner")
    git(path, ["-c", "advice.addEmbeddedRepo=false", "add", "lib"])
    commit(path, "feat: embeds")
    for (const setting of [
      ["core.fsmonitor", script],
      ["filter.evil.clean", script],
    ])
      git(inner, ["config", ...setting])
    writeFileSync(join(inner, ".git/info/attributes"), "* filter=evil")
    writeFileSync(join(inner, "inside"), "inner change\n")
    await useAll(path)
    expect(readFileSync(join(folder, `context-${count}/lib/inside`), "utf8")).toBe("inner change\n")
  })

  test("nothing writes through files in its git directory that lead elsewhere", async () => {
    const path = repository()
    const victim = join(folder, "victim")
    writeFileSync(victim, "mine\n")
    for (const name of ["config.fresh", "url.fresh", "index.lock", "shallow.lock", "packed-refs.lock"]) {
      symlinkSync(victim, join(path, ".git", name))
    }
    await useAll(path)
    expect(readFileSync(victim, "utf8")).toBe("mine\n")
  })

  test("refs that only look like the module's own", async () => {
    const path = repository()
    git(path, ["update-ref", "refs/ecs-release/branch", "HEAD"])
    git(path, ["symbolic-ref", "refs/tags/v9.9.9", "refs/heads/main"])
    const head = await readHead((await localHistory(path)).shell, "")
    expect(head.onBranch).toBeUndefined()
    expect(git(path, ["rev-parse", "main"])).toBe(head.sha)
  })

  test.each([
    ["insteadOf", (url: string) => [`url.${url}/stolen/.insteadOf`, "http://remote.invalid/"]],
    ["a proxy", (url: string) => ["http.proxy", url]],
    ["a proxy for one host", (url: string) => ["http.http://remote.invalid.proxy", url]],
    ["a credential helper", () => ["credential.helper", `!touch ${marker};`]],
    ["an extra header", () => ["http.extraHeader", "X-Evil: 1"]],
  ])("%s", async (_, setting) => {
    const asked: string[] = []
    const server = createServer((request, answer) => {
      asked.push(`${request.url} ${request.headers["x-evil"] ?? ""}`)
      answer.writeHead(401, { "www-authenticate": "Basic" }).end()
    })
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      const path = repository()
      git(path, ["config", ...(setting(url) as [string, string])])
      git(path, ["remote", "add", "origin", "http://remote.invalid/r.git"])
      const { shell } = await localHistory(path)
      const { failed } = await fetchHead(shell, "http://remote.invalid/r.git", "")
      expect(failed).toMatch(/remote\.invalid/)
      expect(asked).toEqual([])
      await fetchHead(shell, `${url}/r.git`, "")
      expect(asked.filter(it => /1$/.test(it))).toEqual([])
      expect(existsSync(marker)).toBe(false)
    } finally {
      server.close()
    }
  })
})

test("what describes the source is known: origin, tag option, partial clone, object format", async () => {
  const path = repository("--object-format=sha256")
  git(path, ["remote", "add", "--no-tags", "origin", "https://x:s3cret@example.com:8443/o/r.git"])
  git(path, ["config", "remote.origin.promisor", "true"])
  git(path, ["config", "remote.origin.partialclonefilter", "blob:none"])
  const { source, shell, cwd } = await localHistory(path)
  expect(source).toMatchObject({
    noTags: true,
    origin: "https://example.com:8443/o/r.git",
    format: "sha256",
    filter: "blob:none",
  })
  expect((await readHead(shell, "")).sha).toHaveLength(64)
  expect(readFileSync(join(cwd, "config"), "utf8")).not.toMatch(/s3cret/)
})

test.each([
  ["https://ghp_token@github.com/o/r.git", "https://github.com/o/r.git"],
  ["https://user:to@ken@github.com/o/r.git", "https://github.com/o/r.git"],
  ["git@github.com:o/r.git", "git@github.com:o/r.git"],
  ["https://github.com/o/r@v1.git", "https://github.com/o/r@v1.git"],
])("of the origin %s only %s is read", async (address, shown) => {
  const path = repository()
  git(path, ["remote", "add", "origin", address])
  expect((await inspect(localShell(path), "")).origin).toBe(shown)
})

test("tags that name no version break nothing, and names and values forge nothing", async () => {
  const path = repository()
  git(path, ["tag", "v1.2.3"])
  commit(path, "fix: b")
  const head = git(path, ["rev-parse", "HEAD"])
  writeFileSync(join(path, ".git/refs/tags/v-old"), `${"1".repeat(40)}\n`)
  writeFileSync(join(path, ".git/refs/tags/v2.0.0-x~"), `${head}\n`)
  git(path, ["config", "remote.origin.url", `https://x/\nhead ${"2".repeat(40)}\nrefs ${head} v9.0.0`])
  git(path, ["config", "--add", "remote.origin.tagopt", `--no-tags\\nhead ${"3".repeat(40)}`])
  const { source, shell } = await localHistory(path)
  expect(source.sha).toBe(head)
  expect(source.refs).toBe(`create refs/tags/v1.2.3 ${git(path, ["rev-parse", "v1.2.3"])}`)
  expect((await readHead(shell, "")).merged.map(({ tag }) => tag)).toEqual(["v1.2.3"])
})

test("a fetch says what is already here, even without a version tag", async () => {
  const { shell } = await localHistory(repository())
  expect((await shell("git for-each-ref --format='%(refname)'")).stdout).toBe("refs/ecs-release/head\n")
})

describe("a source that cannot be read says why", () => {
  const error = (path: string) => localHistory(path).then(String, String)

  test("not a repository, no commits, a linked work tree whose repository is elsewhere", async () => {
    const none = join(folder, "none")
    mkdirSync(none)
    expect(await error(none)).toMatch(/is not a git repository[\s\S]*--source/)
    git(folder, ["init", "-q", join(folder, "unborn")])
    expect(await error(join(folder, "unborn"))).toMatch(/has no commits[\s\S]*first commit/)
    mkdirSync(join(folder, "linked"))
    writeFileSync(join(folder, "linked/.git"), "gitdir: /nowhere/.git/worktrees/linked\n")
    expect(await error(join(folder, "linked"))).toMatch(/linked work tree or a submodule[\s\S]*--git-dir/)
  })

  test("objects that are in another repository", async () => {
    const from = repository()
    const shared = join(folder, "shared")
    git(folder, ["clone", "-q", "--shared", from, shared])
    writeFileSync(join(shared, ".git/objects/info/alternates"), "/nowhere/objects\n")
    expect(await error(shared)).toMatch(/not among the repository's objects.*--shared or --reference/)
  })
})

test("git's messages are cleaned in linear time, and have no password from a URL", () => {
  for (const unit of ["://", "a:b@", "https://user:", "@", "x"]) {
    expect(gitSays(unit.repeat(2_000_000)).length).toBeLessThan(600)
  }
  const url = `https://${"u".repeat(700)}:s3@cret@host/`
  expect(gitSays(`fatal: unable to access '${url}'`)).toBe("fatal: unable to access 'https://host/'")
})
