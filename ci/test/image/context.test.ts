import { createHash } from "node:crypto"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeEach, describe, expect, test } from "vitest"
import { freshConfig } from "../../src/git/repository.js"
import { refuseDirty, writeContext } from "../../src/image/context.js"
import { git } from "../git/histories.js"
import { localShell } from "../git/local-shell.js"

const folder = mkdtempSync(join(tmpdir(), "context-"))
afterAll(() => rmSync(folder, { recursive: true }))

let count = 0
let path: string
beforeEach(() => {
  count += 1
  path = join(folder, `repository-${count}`)
  git(folder, ["init", "-q", "-b", "main", path])
})

const write = (name: string, content: string, under = path) => {
  mkdirSync(dirname(join(under, name)), { recursive: true })
  writeFileSync(join(under, name), content)
}
const commit = (under = path) => {
  git(under, ["add", "-A"])
  git(under, ["-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "feat: a"])
}
const shell = () => {
  const run = localShell(path)
  return (script: string, ...args: string[]) => run(freshConfig + script, ...args)
}
const context = async (inside = ".") => {
  const to = join(folder, `context-${count}-${Math.random()}`)
  const { changed } = await writeContext(shell(), "2025-01-01T00:00:00Z", to, inside)
  const read = (at: string): [string, string][] =>
    readdirSync(at, { withFileTypes: true }).flatMap(it =>
      it.isDirectory()
        ? read(join(at, it.name))
        : [[join(at, it.name).slice(to.length + 1), readFileSync(join(at, it.name), "utf8")]],
    )
  return { to, changed, files: Object.fromEntries(read(to)) }
}
const pointer = (content: string) =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${createHash("sha256").update(content).digest("hex")}\nsize ${content.length}\n`

test("the commit's files, and what the work tree changes; nothing that is ignored", async () => {
  write("kept", "kept\n")
  write("changed", "before\n")
  write("deleted", "gone\n")
  write('folder/it\'s a "name"', "odd\n")
  write(".gitignore", "ignored\n")
  commit()
  expect(await context()).toMatchObject({ changed: false })
  write("changed", "after\n")
  write("ignored", "secret\n")
  write("new/file", "new\n")
  rmSync(join(path, "deleted"))
  symlinkSync("kept", join(path, "link"))
  const { files, changed } = await context()
  expect(changed).toBe(true)
  expect(files).toEqual({
    ".gitignore": "ignored\n",
    kept: "kept\n",
    changed: "after\n",
    'folder/it\'s a "name"': "odd\n",
    "new/file": "new\n",
    link: "kept\n",
  })
})

test("every file has the commit's date and a plain mode", async () => {
  write("file", "text\n")
  commit()
  const { mtime, mode } = statSync(join((await context()).to, "file"))
  expect([mtime.toISOString(), mode & 0o777]).toEqual(["2025-01-01T00:00:00.000Z", 0o644])
})

test("a checkout with CRLF line ends is clean, and the commit's own line ends are built", async () => {
  write("unix", "one\ntwo\n")
  write("dos", "one\r\ntwo\r\n")
  commit()
  git(path, ["config", "core.autocrlf", "true"])
  rmSync(join(path, "unix"))
  git(path, ["checkout", "-q", "unix"])
  expect(readFileSync(join(path, "unix"), "utf8")).toBe("one\r\ntwo\r\n")
  await refuseDirty(shell())
  expect((await context()).files).toEqual({ unix: "one\ntwo\n", dos: "one\r\ntwo\r\n" })
})

test("line ends that .gitattributes asks for are built", async () => {
  write(".gitattributes", "*.bat eol=crlf\n")
  write("run.bat", "one\r\n")
  commit()
  await refuseDirty(shell())
  expect((await context()).files["run.bat"]).toBe("one\r\n")
})

test("a new file is found whatever status.showUntrackedFiles says", async () => {
  write("file", "text\n")
  commit()
  git(path, ["config", "status.showUntrackedFiles", "no"])
  write("new", "new\n")
  await expect(refuseDirty(shell())).rejects.toThrow(/\?\? new/)
  expect((await context()).files).toHaveProperty("new")
})

test("an index that hides a change does not bring it into the image", async () => {
  write("file", "committed\n")
  commit()
  git(path, ["update-index", "--assume-unchanged", "file"])
  write("file", "hidden change\n")
  expect((await context()).files.file).toBe("committed\n")
})

test("a sparse checkout builds the whole commit", async () => {
  write("app/file", "app\n")
  write("docs/file", "docs\n")
  commit()
  git(path, ["sparse-checkout", "set", "app"])
  expect(existsSync(join(path, "docs"))).toBe(false)
  await refuseDirty(shell())
  expect((await context()).files).toEqual({ "app/file": "app\n", "docs/file": "docs\n" })
})

test("submodules are built with their own files", async () => {
  const inner = join(folder, `inner-${count}`)
  git(folder, ["init", "-q", "-b", "main", inner])
  write("inside", "inside\n", inner)
  commit(inner)
  write("file", "text\n")
  commit()
  git(path, ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner, "lib/inner"])
  commit()
  await refuseDirty(shell())
  expect((await context()).files).toMatchObject({ file: "text\n", "lib/inner/inside": "inside\n" })
  write("lib/inner/inside", "changed\n")
  await expect(refuseDirty(shell())).rejects.toThrow(/lib\/inner/)
  expect((await context()).files).toMatchObject({ "lib/inner/inside": "changed\n" })
})

describe("Git LFS", () => {
  const content = "content ".repeat(1000)
  beforeEach(async () => {
    write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    write("app/model.bin", content)
    write("app/empty.bin", "")
    // The module's own clean filter makes the pointers here, as Git LFS does on a laptop.
    await localShell(path)("git add --all")
    git(path, ["-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "feat: a"])
    expect(git(path, ["show", "HEAD:app/model.bin"])).toBe(pointer(content).trim())
  })

  test("content that is in the work tree is built, and counts as unchanged", async () => {
    await refuseDirty(shell())
    const { files, changed } = await context()
    expect([files["app/model.bin"], files["app/empty.bin"], changed]).toEqual([content, "", false])
  })

  test("other content is a change, and is built as one", async () => {
    write("app/model.bin", `${content}!`)
    await expect(refuseDirty(shell())).rejects.toThrow(/model\.bin/)
    expect(await context()).toMatchObject({ changed: true, files: { "app/model.bin": `${content}!` } })
  })

  test("a pointer without its content is refused, if it is in the folder that is built", async () => {
    const clone = `${path}-clone`
    git(folder, ["clone", "-q", path, clone])
    path = clone
    await refuseDirty(shell())
    await expect(context()).rejects.toThrow(
      /Git LFS file is not in the clone: app\/model\.bin[\s\S]*→ .*git lfs pull/,
    )
    await expect(context("./app/")).rejects.toThrow(/Git LFS/)
    await expect(context("docs")).resolves.toBeDefined()
  })
})

test("a script that cannot read the files fails, whichever part of it does", async () => {
  write("file", "text\n")
  commit()
  const blob = git(path, ["rev-parse", "HEAD:file"])
  rmSync(join(path, ".git/objects", blob.slice(0, 2), blob.slice(2)))
  rmSync(join(path, "file"))
  await expect(context()).rejects.toThrow(/The commit's files cannot be read/)
})
