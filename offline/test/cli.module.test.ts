import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type FieldNode, parse, type SelectionSetNode } from "graphql"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { fillFromWorld } from "../cli/sandbox.js"
import { Chains } from "../module/endpoint.js"
import { Constructed } from "../module/kept.js"
import { registrationFields } from "../module/protocol.js"
import { findModule } from "../module/source.js"
import { encodeId, Recipe } from "../session/recipe.js"

let dir = ""
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "module-"))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe("registration", () => {
  const chains = new Chains(registrationFields, "test-")
  const selection = (query: string) =>
    (parse(query).definitions[0] as { selectionSet: SelectionSetNode }).selectionSet
  const ask = async (query: string) => {
    let found: unknown = await chains.answer(selection(query))
    while (found !== null && typeof found === "object") found = Object.values(found)[0]
    return found as string
  }

  it("knows its own queries from the session's", () => {
    const owns = (query: string) => chains.owns(selection(query).selections[0] as FieldNode)
    expect(owns("{typeDef{id}}")).toBe(true)
    expect(owns('{node(id:"test-1"){id}}')).toBe(true)
    expect(owns('{node(id:"other"){id}}')).toBe(false)
    expect(owns("{container{id}}")).toBe(false)
  })

  it("keeps each value of a chain as it was", async () => {
    const text = await ask("{typeDef{withKind(kind: STRING){id}}}")
    const maybe = await ask(`{node(id:"${text}"){... on TypeDef{withOptional(optional: true){id}}}}`)
    expect(maybe).not.toBe(text)
    const fn = await ask(
      `{function(name:"f", returnType:"${text}"){withArg(name:"a", typeDef:"${maybe}"){id}}}`,
    )
    const object = await ask(`{typeDef{withObject(name:"Hello"){withFunction(function:"${fn}"){id}}}}`)
    expect(await ask(`{module{withObject(object:"${object}"){id}}}`)).toMatch(/^test-/)
  })

  it("refuses what it does not know", async () => {
    await expect(ask("{typeDef{nope}}")).rejects.toThrow('Cannot query field "nope" on type "TypeDef".')
    await expect(ask('{node(id:"test-999"){id}}')).rejects.toThrow("no object has the ID test-999")
  })
})

describe("a kept constructor's result", () => {
  it("is found for the same sources and arguments alone", () => {
    const kept = new Constructed(dir, "hello", "sources")
    expect(kept.any).toBe(false)
    kept.keep({ region: "a" }, { region: "a" })
    expect(kept.any).toBe(true)
    expect(kept.find({ region: "a" })).toEqual({ region: "a" })
    expect(kept.find({ region: "b" })).toBeUndefined()
    expect(new Constructed(dir, "hello", "changed").find({ region: "a" })).toBeUndefined()
    expect(readdirSync(join(dir, "constructed"))).toEqual([])
  })

  it("has no secret in it that ended with its session", () => {
    const kept = new Constructed(dir, "hello", "sources")
    const secret = encodeId(new Recipe("Secret", "setSecret", { name: "a", fingerprint: "b" }))
    kept.keep({}, { nested: [{ token: secret }] })
    expect(kept.any).toBe(false)
    kept.keep({}, { token: encodeId(new Recipe("Secret", "secret", { uri: "env://A" })) })
    expect(kept.any).toBe(true)
  })
})

describe("a module's source", () => {
  const write = (path: string, text: string) => {
    mkdirSync(join(dir, path, ".."), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  beforeEach(() => {
    write("dagger.json", JSON.stringify({ name: "hello", sdk: { source: "typescript" }, source: "ci" }))
    write("ci/src/index.ts", "")
    write("ci/src/deep/er.ts", "")
    write("ci/src/types.d.ts", "")
  })

  it("is found from below, with its sources and the repository's root", () => {
    mkdirSync(join(dir, ".git"))
    mkdirSync(join(dir, "a/b"), { recursive: true })
    expect(findModule(undefined, join(dir, "a/b"))).toEqual({
      name: "hello",
      dir,
      root: dir,
      sourceDir: join(dir, "ci"),
      files: [join(dir, "ci/src/deep/er.ts"), join(dir, "ci/src/index.ts")],
    })
    expect(findModule("dagger.json", dir).dir).toBe(dir)
  })

  it("has the work tree as its root if .git is a file, and its own folder if there is none", () => {
    expect(findModule(dir, "/").root).toBe(dir)
    write(".git", "gitdir: /elsewhere/.git/worktrees/x\n")
    expect(findModule(dir, "/").root).toBe(dir)
  })

  it("must be on the disk, and in TypeScript", () => {
    expect(() => findModule("github.com/some/module", dir)).toThrow("is a remote module")
    expect(() => findModule("nowhere", dir)).toThrow("no dagger.json found in nowhere")
    write("dagger.json", JSON.stringify({ name: "hello", sdk: { source: "go" } }))
    expect(() => findModule(undefined, dir)).toThrow("the module hello is in go")
  })
})

describe("what offline mode fills in", () => {
  it("is not a linked work tree's git directory: an engine has no way to it", async () => {
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", dir, "-c", "user.name=a", "-c", "user.email=b", ...args])
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message=x")
    git("worktree", "add", "--quiet", "linked")
    const linked = join(dir, "linked")
    expect(existsSync(join(linked, ".git"))).toBe(true)
    const args = [{ name: "gitDir", type: { kind: "OBJECT", name: "Directory", optional: true } }] as const
    const call = { args, given: new Map(), addresses: new Map(), cwd: linked, log: () => {} }
    expect(await fillFromWorld(call)).toEqual(new Map())
  })
})
