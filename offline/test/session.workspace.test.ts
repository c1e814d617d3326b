import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { type Asked, newState, removeStates, start } from "./session.help.js"

let root = ""
let session: Asked
const ask = (field: string) => session.leaf(`{currentWorkspace{${field}}}`)

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "workspace-"))
  mkdirSync(join(root, ".git"))
  mkdirSync(join(root, "app/deep"), { recursive: true })
  writeFileSync(join(root, "top"), "T")
  writeFileSync(join(root, "app/own"), "O")
  session = await start(newState(), { workdir: join(root, "app") })
})

afterEach(() => vi.unstubAllEnvs())

afterAll(async () => {
  await session.close()
  removeStates()
  rmSync(root, { recursive: true })
})

describe("the caller's workspace", () => {
  test('has the repository for "/", with .git unless it is excluded', async () => {
    expect(await ask('directory(path:"/"){entries}')).toEqual([".git/", "app/", "top"])
    expect(await ask('directory(path:"/",exclude:[".git","app"]){entries}')).toEqual(["top"])
    expect(await ask('file(path:"/top"){contents}')).toBe("T")
  })

  test("is the caller's folder for other paths, to v0.20.0 the repository", async () => {
    expect(await ask('directory(path:"."){entries}')).toEqual(["deep/", "own"])
    expect(await ask('file(path:"../top"){contents}')).toBe("T")
    vi.stubEnv("ECS_RELEASE_ENGINE", "v0.20.0")
    expect(await ask('directory(path:"."){entries}')).toEqual([".git/", "app/", "top"])
  })

  test("finds a name upward, from the root's point of view", async () => {
    expect(await ask('findUp(name:"own",from:"deep")')).toBe("/app/own")
    expect(await ask('findUp(name:"top")')).toBe("/top")
    expect(await ask('findUp(name:"nowhere")')).toBeNull()
    vi.stubEnv("ECS_RELEASE_ENGINE", "v0.20.0")
    expect(await ask('findUp(name:"own",from:"app/deep")')).toBe("app/own")
  })

  test("ends at its root", async () => {
    await expect(ask('directory(path:"../.."){entries}')).rejects.toThrow("outside of the workspace")
  })
})
