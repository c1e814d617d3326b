import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { checkoutHome } from "../machine/home.js"
import { worldDown, worldLogs, worldReset, worldUp } from "../machine/world.js"

const checkout = mkdtempSync(join(tmpdir(), "world-"))
const log = () => {}

afterAll(async () => {
  await worldReset(checkout, log)
  rmSync(checkout, { recursive: true })
})

it("the world comes up once for commands at the same time, is found quickly, goes down and is forgotten", async () => {
  execFileSync("git", ["init", "-q", checkout])
  mkdirSync(join(checkout, "offline"))
  const [one, other] = await Promise.all([worldUp(checkout, checkout, log), worldUp(checkout, checkout, log)])
  expect(one).toEqual(other)
  const home = checkoutHome(checkout)
  const began = performance.now()
  expect(await worldUp(checkout, checkout, log)).toEqual(one)
  expect(performance.now() - began).toBeLessThan(200)
  expect(Object.keys(one.env).sort()).toEqual([
    "AWS_ACCESS_KEY_ID",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GITHUB_TOKEN",
  ])
  expect((await fetch(`http://127.0.0.1:${one.git.port}${one.git.path}/HEAD`)).status).toBe(401)
  expect(worldLogs(checkout, 5).map(({ name }) => name)).toEqual(expect.arrayContaining(["emulator", "git"]))

  await worldDown(checkout, log)
  for (const port of [one.emulator.port, one.git.port]) {
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow()
  }
  await worldDown(checkout, log)
  await worldReset(checkout, log)
  expect(existsSync(home)).toBe(false)
}, 120_000)
