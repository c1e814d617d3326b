import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { fetchHistory } from "../../src/git/fetch.js"
import { readHead } from "../../src/git/head.js"
import { freshConfig, gitSays } from "../../src/git/repository.js"
import { writeContext } from "../../src/image/context.js"
import { git } from "./histories.js"
import { localShell } from "./local-shell.js"

const folder = mkdtempSync(join(tmpdir(), "git-"))
afterAll(() => rmSync(folder, { recursive: true }))

let count = 0
const repository = () => {
  count += 1
  const path = join(folder, `repository-${count}`)
  git(folder, ["init", "-q", "-b", "main", path])
  writeFileSync(join(path, "file"), "text\n")
  commit(path, "feat: a")
  return path
}
const commit = (path: string, message: string) => {
  git(path, ["add", "-A"])
  git(path, [
    "-c",
    "user.name=A",
    "-c",
    "user.email=a@example.com",
    "commit",
    "-q",
    "--allow-empty",
    "-m",
    message,
  ])
}

/** Runs something that the source's own configuration might get at, in the private copy as the module makes it. */
const isolated = async (path: string) => {
  const shell = localShell(path)
  expect(await shell(freshConfig)).toMatchObject({ code: 0, stderr: "" })
  return shell
}

describe("nothing of the source's configuration is honoured", () => {
  const marker = join(folder, "marker")
  const script = join(folder, "script")
  beforeAll(() => {
    writeFileSync(script, `#!/bin/sh\ntouch ${marker}\ncat\n`)
    chmodSync(script, 0o755)
  })

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
    const shell = await isolated(path)
    writeFileSync(join(path, "file"), "changed\n")
    await readHead(shell, "")
    await writeContext(shell, "2025-01-01T00:00:00Z", join(folder, `context-${count}`), ".")
    expect(existsSync(marker)).toBe(false)
    expect(readFileSync(join(folder, `context-${count}`, "file"), "utf8")).toBe("changed\n")
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
      const { failed } = await fetchHistory(await isolated(path), "http://remote.invalid/r.git", "")
      expect(failed).toMatch(/remote\.invalid/)
      expect(asked).toEqual([])
      await fetchHistory(await isolated(path), `${url}/r.git`, "")
      expect(asked.filter(it => /1$/.test(it))).toEqual([])
      expect(existsSync(marker)).toBe(false)
    } finally {
      server.close()
    }
  })

  test("an include, a worktree's own configuration, grafts", async () => {
    const path = repository()
    commit(path, "feat: nothing")
    writeFileSync(join(folder, "included"), `[core]\n\tfsmonitor = ${script}\n`)
    git(path, ["config", "include.path", join(folder, "included")])
    git(path, ["config", "extensions.worktreeConfig", "true"])
    git(path, ["config", "--worktree", "core.fsmonitor", script])
    const head = git(path, ["rev-parse", "HEAD"])
    writeFileSync(join(path, ".git/info/grafts"), `${head}\n`)
    const shell = await isolated(path)
    expect((await shell("git status --porcelain; git rev-list --count HEAD")).stdout).toBe("2\n")
    expect(existsSync(marker)).toBe(false)
  })

  test("what describes the repository stays: origin, tag option, partial clone, object format", async () => {
    const path = join(folder, "sha256")
    git(folder, ["init", "-q", "--object-format=sha256", path])
    commitEmpty(path)
    git(path, ["remote", "add", "--no-tags", "origin", "https://x:s3cret@example.com:8443/o/r.git"])
    git(path, ["config", "remote.origin.promisor", "true"])
    const head = await readHead(await isolated(path), "")
    expect(head).toMatchObject({ noTags: true, origin: "https://example.com:8443/o/r.git" })
    expect(head.sha).toHaveLength(64)
    expect(readFileSync(join(path, ".git/config"), "utf8")).not.toMatch(/s3cret/)
    expect(git(path, ["config", "remote.origin.promisor"])).toBe("true")
  })
  const commitEmpty = (path: string) =>
    git(path, ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "a"])
})

test.each([
  ["https://ghp_token@github.com/o/r.git", "https://github.com/o/r.git"],
  ["https://user:to@ken@github.com/o/r.git", "https://github.com/o/r.git"],
  ["git@github.com:o/r.git", "git@github.com:o/r.git"],
  ["https://github.com/o/r@v1.git", "https://github.com/o/r@v1.git"],
])("of the origin %s only %s is printed", async (address, shown) => {
  const path = repository()
  git(path, ["remote", "add", "origin", address])
  const ran = await localShell(path)(`${freshConfig}git config remote.origin.url`)
  expect(ran).toEqual({ code: 0, stdout: `${shown}\n`, stderr: "" })
})

test("git's words are linear to clean, and without a URL's password", () => {
  for (const unit of ["://", "a:b@", "https://user:", "@", "x"]) {
    expect(gitSays(unit.repeat(2_000_000)).length).toBeLessThan(600)
  }
  const url = `https://${"u".repeat(700)}:s3cret@host/`
  expect(gitSays(`fatal: unable to access '${url}'`)).toBe("fatal: unable to access 'https://host/'")
})
