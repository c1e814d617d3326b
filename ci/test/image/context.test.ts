import { createHash } from "node:crypto"
import {
  existsSync,
  lstatSync,
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
import { refuseChanges, writeContext } from "../../src/image/context.js"
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
const context = async (inside = ".") => {
  const to = join(folder, `context-${count}-${Math.random()}`)
  const changes = await writeContext(localShell(path), Date.UTC(2025, 0, 1) / 1000, to, inside)
  const read = (at: string): [string, string][] =>
    readdirSync(at, { withFileTypes: true }).flatMap(it =>
      it.isDirectory()
        ? read(join(at, it.name))
        : [[join(at, it.name).slice(to.length + 1), readFileSync(join(at, it.name), "utf8")]],
    )
  return { to, changes, files: Object.fromEntries(read(to)) }
}
/** Refuses the work tree if it differs from its commit. */
const refuseDirty = async () => {
  const { changes } = await context()
  refuseChanges({ changes, files: {} as never })
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
  expect(await context()).toMatchObject({ changes: [] })
  write("changed", "after\n")
  write("ignored", "secret\n")
  write("new/file", "new\n")
  rmSync(join(path, "deleted"))
  symlinkSync("kept", join(path, "link"))
  const { files, changes } = await context()
  expect(changes.sort()).toEqual([" D deleted", " M changed", "?? link", "?? new/file"])
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

test("a checkout with CRLF line endings is clean, and the commit's own line endings are built", async () => {
  write("unix", "one\ntwo\n")
  write("dos", "one\r\ntwo\r\n")
  commit()
  git(path, ["config", "core.autocrlf", "true"])
  rmSync(join(path, "unix"))
  git(path, ["checkout", "-q", "unix"])
  expect(readFileSync(join(path, "unix"), "utf8")).toBe("one\r\ntwo\r\n")
  await refuseDirty()
  expect((await context()).files).toEqual({ unix: "one\ntwo\n", dos: "one\r\ntwo\r\n" })
})

test("line endings that .gitattributes asks for are built", async () => {
  write(".gitattributes", "*.bat eol=crlf\n")
  write("run.bat", "one\r\n")
  commit()
  await refuseDirty()
  expect((await context()).files["run.bat"]).toBe("one\r\n")
})

test("a new file is found whatever status.showUntrackedFiles says", async () => {
  write("file", "text\n")
  commit()
  git(path, ["config", "status.showUntrackedFiles", "no"])
  write("new", "new\n")
  await expect(refuseDirty()).rejects.toThrow(/\?\? new/)
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
  await refuseDirty()
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
  await refuseDirty()
  expect((await context()).files).toMatchObject({ file: "text\n", "lib/inner/inside": "inside\n" })
  write("lib/inner/inside", "changed\n")
  await expect(refuseDirty()).rejects.toThrow(/ M lib\/inner\/inside/)
  expect((await context()).files).toMatchObject({ "lib/inner/inside": "changed\n" })
})

test("tracked files of folders that are not sent with the work tree are HEAD's, not deleted ones", async () => {
  for (const name of [
    "node_modules/a",
    "test/node_modules/dep/a",
    ".venv/a",
    "lib/.venv/b",
    "node_modules2/a",
  ])
    write(name, `${name}\n`)
  commit()
  for (const name of ["node_modules", "test/node_modules", ".venv", "lib/.venv"])
    rmSync(join(path, name), { recursive: true })
  const found = await context()
  expect(found.changes).toEqual([])
  expect(found.files["test/node_modules/dep/a"]).toBe("test/node_modules/dep/a\n")
  rmSync(join(path, "node_modules2"), { recursive: true })
  expect((await context()).changes).toEqual([" D node_modules2/a"])
})

test("a file of such a folder that is sent may be deleted", async () => {
  write("node_modules/a", "a\n")
  write("node_modules/b", "b\n")
  commit()
  rmSync(join(path, "node_modules/b"))
  expect((await context()).changes).toEqual([" D node_modules/b"])
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
    await refuseDirty()
    const { files, changes } = await context()
    expect([files["app/model.bin"], files["app/empty.bin"], changes]).toEqual([content, "", []])
  })

  test("different content counts as a change, and is built", async () => {
    write("app/model.bin", `${content}!`)
    await expect(refuseDirty()).rejects.toThrow(/model\.bin/)
    expect(await context()).toMatchObject({
      changes: [" M app/model.bin"],
      files: { "app/model.bin": `${content}!` },
    })
  })

  test("a pointer without its content is refused, if it is in the folder that is built", async () => {
    const clone = `${path}-clone`
    git(folder, ["clone", "-q", path, clone])
    path = clone
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

test("odd names: leading dashes, trailing spaces, letters of any script, line breaks in folders", async () => {
  const names = ["-rf", "--", "-d/-x", "é/日本 ", "a\nb/c", "\\t"]
  for (const name of names) write(name, "before\n")
  commit()
  expect(Object.keys((await context()).files).sort()).toEqual([...names].sort())
  for (const name of names) write(name, "after\n")
  write("-new", "after\n")
  const { files } = await context()
  expect(files).toEqual(Object.fromEntries([...names, "-new"].map(name => [name, "after\n"])))
})

test("submodules in submodules, with odd names, and one that is not checked out", async () => {
  const deep = join(folder, `deep-${count}`)
  const inner = join(folder, `inner-${count}`)
  for (const at of [deep, inner]) {
    git(folder, ["init", "-q", "-b", "main", at])
    write("inside", "inside\n", at)
    commit(at)
  }
  const add = (at: string, from: string, name: string) => {
    git(at, ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", from, name])
    commit(at)
  }
  add(inner, deep, "très/profond")
  add(path, inner, "lib/é")
  git(path, ["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive"])
  expect((await context()).files).toMatchObject({
    "lib/é/inside": "inside\n",
    "lib/é/très/profond/inside": "inside\n",
  })
  const clone = `${path}-clone`
  git(folder, ["clone", "-q", path, clone])
  path = clone
  await expect(context()).rejects.toThrow(
    /a submodule is not in the clone: lib\/é[\s\S]*git submodule update --init/,
  )
  await expect(context("lib")).rejects.toThrow(/submodule/)
  await expect(context("docs")).resolves.toBeDefined()
})

test("a checkout without symbolic links builds them all the same", async () => {
  write("kept", "kept\n")
  symlinkSync("kept", join(path, "link"))
  commit()
  git(path, ["config", "core.symlinks", "false"])
  rmSync(join(path, "link"))
  git(path, ["checkout", "-q", "link"])
  const { files, changes, to } = await context()
  expect([files.link, changes, lstatSync(join(to, "link")).isSymbolicLink()]).toEqual(["kept\n", [], true])
})

test("attributes that no commit holds change no byte", async () => {
  write("app/file", "one\n")
  write(".gitignore", ".gitattributes\n")
  commit()
  write("app/.gitattributes", "* eol=crlf\n")
  expect((await context()).files["app/file"]).toBe("one\n")
})

test("a linked work tree, and a bare repository", async () => {
  write("file", "text\n")
  commit()
  const source = path
  git(source, ["worktree", "add", "-q", `${source}-linked`])
  path = `${source}-linked`
  write("file", "linked\n")
  expect(await context()).toMatchObject({ files: { file: "linked\n" }, changes: [" M file"] })
  path = `${source}-bare`
  git(folder, ["clone", "-q", "--bare", source, path])
  expect(await context()).toMatchObject({ files: { file: "text\n" }, changes: [] })
})
