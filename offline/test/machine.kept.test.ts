import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { errorText } from "../cli/errors.js"
import { checkoutCache } from "../machine/home.js"
import { cached, readKept, writeKept } from "../machine/kept.js"
import { isRunning, startDetached, startedWith, stop } from "../machine/process.js"
import { Store } from "../session/store.js"

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "kept-"))
})

afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** Runs the command with the state directory `dir`. */
function dagger(...words: string[]): Promise<{ code: number; stderr: string }> {
  const command = join(import.meta.dirname, "../dagger")
  const env = { ...process.env, ECS_RELEASE_STATE: dir }
  return new Promise(resolve => {
    execFile(command, words, { env }, (error, _, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stderr }),
    )
  })
}

describe("a kept file", () => {
  it("is replaced whole or not at all", () => {
    const file = join(dir, "file.json")
    writeKept(file, { one: 1 })
    const circle: Record<string, unknown> = {}
    circle.self = circle
    expect(() => writeKept(file, circle)).toThrow()
    mkdirSync(join(dir, "folder"))
    expect(() => writeKept(join(dir, "folder"), 1)).toThrow()
    expect(readKept(file)).toEqual({ one: 1 })
    expect(readdirSync(dir).sort()).toEqual(["file.json", "folder"])
  })

  it("is removed if there is nothing to keep, and then reads as nothing", () => {
    const file = join(dir, "new/file.json")
    writeKept(file, { one: 1 })
    expect(readKept(file)).toEqual({ one: 1 })
    writeKept(file, undefined)
    expect(readKept(file)).toBeUndefined()
    expect(readdirSync(join(dir, "new"))).toEqual([])
  })

  it.each(["", "{", '{"port": 12', "\0\0\0\0"])("that is damaged (%j) says so, and what to do", text => {
    const store = new Store(dir)
    store.put("execs", "ab12", { some: "record" })
    const file = join(dir, "execs/ab/ab12.json")
    writeFileSync(file, text)
    for (const read of [() => readKept(file), () => store.get("execs", "ab12")])
      expect(read).toThrow(`${file} is damaged`)
    expect(() => readKept(file)).toThrow("./offline/dagger reset")
  })
})

describe("a cached result", () => {
  it("is made once for a key, and again if its file is damaged", async () => {
    let made = 0
    const ask = (key: string) => cached(dir, key, () => ({ key, made: ++made }))
    expect(await ask("a")).toEqual({ key: "a", made: 1 })
    expect(await ask("a")).toEqual({ key: "a", made: 1 })
    expect(await ask("b")).toEqual({ key: "b", made: 2 })
    writeFileSync(join(dir, "a.json"), '{"key": ')
    expect(await ask("a")).toEqual({ key: "a", made: 3 })
    expect(await ask("a")).toEqual({ key: "a", made: 3 })
  })

  it("is not kept if it could not be made", async () => {
    await expect(cached(dir, "a", () => Promise.reject(new Error("no")))).rejects.toThrow("no")
    expect(await cached(dir, "a", () => 1)).toBe(1)
  })

  it("goes when there are ten newer ones", async () => {
    for (let day = 0; day < 12; day++) {
      await cached(dir, `${day}`, () => day)
      utimesSync(join(dir, `${day}.json`), day * 86_400, day * 86_400)
    }
    await cached(dir, "last", () => 0)
    expect(readdirSync(dir).sort()).toEqual(
      ["10", "11", "3", "4", "5", "6", "7", "8", "9", "last"].map(name => `${name}.json`),
    )
  })
})

describe("a checkout's cache", () => {
  it("is the same for all of its worlds, and goes once the checkout has gone", () => {
    vi.stubEnv("ECS_RELEASE_HOME", join(dir, "home"))
    const [one, other] = ["one", "other"].map(name => join(dir, name)) as [string, string]
    for (const checkout of [one, other]) mkdirSync(checkout)
    const cache = checkoutCache(one)
    vi.stubEnv("ECS_RELEASE_STATE", join(dir, "another world"))
    expect(checkoutCache(one)).toBe(cache)
    rmSync(one, { recursive: true })
    const left = checkoutCache(other)
    vi.unstubAllEnvs()
    expect(readdirSync(join(dir, "home/cache")).map(name => join(dir, "home/cache", name))).toEqual([left])
  })
})

describe("a damaged sandbox", () => {
  it.each(["emulator.json", "aws/ecs.json"])("says so and is reset: %s", async name => {
    const file = join(dir, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, '{"process": {"pid": 1')
    const { code, stderr } = await dagger("up")
    expect(code).toBe(1)
    expect(stderr).toContain(`Error: ${file} is damaged`)
    expect(stderr).toContain("./offline/dagger reset")
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(readFileSync(file, "utf8")).toBe('{"process": {"pid": 1')
    expect(await dagger("reset")).toMatchObject({ code: 0 })
    expect(() => readdirSync(dir)).toThrow("ENOENT")
  })

  it("that lost its record of the git remote is reset together with its server", async () => {
    const logFile = join(dir, "log")
    const env = { ...process.env, GIT_ROOT: join(dir, "git") }
    const server = await startDetached("sleep", ["600"], { logFile, env })
    writeFileSync(join(dir, "git.json"), "{")
    expect(startedWith("GIT_ROOT", join(dir, "git"))?.process).toEqual(server)
    expect(await dagger("reset")).toMatchObject({ code: 0 })
    expect(isRunning(server)).toBe(false)
    await stop(server, 1)
  })
})

describe("a full disk", () => {
  it.each([
    "ENOSPC: no space left on device, write",
    "failed to solve: write /var/lib/docker/tmp/x: no space left on device",
    "fatal: write error: No space left on device",
  ])("is reported, with the way out: %s", message => {
    const text = errorText(new Error(message))
    expect(text).toContain(`the disk is full: ${message}`)
    expect(text).toContain("./offline/dagger reset")
  })
})
