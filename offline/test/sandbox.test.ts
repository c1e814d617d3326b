import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { dockerEnv, hasImage } from "../machine/docker.js"
import { checkoutHome, sessionsDir } from "../machine/home.js"
import { resolveImage } from "../machine/images.js"
import { run } from "../machine/process.js"
import { worldDown, worldLogs, worldReset, worldUp } from "../sandbox.js"
import { startSession } from "../session/server.js"

const checkout = mkdtempSync(join(tmpdir(), "world-"))
const home = checkoutHome(checkout)
const log = () => {}

afterAll(async () => {
  await worldReset(home, log)
  rmSync(checkout, { recursive: true })
})

it("the world comes up once for commands at the same time, is found again, goes down and is forgotten", async () => {
  execFileSync("git", ["init", "-q", checkout])
  mkdirSync(join(checkout, "offline"))
  const [one, other] = await Promise.all([worldUp(home, checkout, log), worldUp(home, checkout, log)])
  expect(one).toEqual(other)
  expect(await worldUp(home, checkout, log)).toEqual(one)
  expect(Object.keys(one.env).sort()).toEqual([
    "AWS_ACCESS_KEY_ID",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GITHUB_TOKEN",
  ])
  expect((await fetch(`${one.git.url}/HEAD`)).status).toBe(401)
  expect(worldLogs(home, 5).map(({ name }) => name)).toEqual(expect.arrayContaining(["emulator", "git"]))

  await worldDown(home, log)
  for (const port of [one.emulator.port, one.git.port]) {
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow()
  }
  await worldDown(home, log)

  const base = await resolveImage(one.docker, "debian:bookworm-slim", log)
  const running = await startSession({ docker: one.docker, stateDir: sessionsDir(home) })
  const kept = running.session.imageName("kept")
  await run(one.docker.cli, ["tag", base, kept], { env: dockerEnv(one.docker) })
  await running.close()
  expect(await hasImage(one.docker, kept)).toBe(true)
  await worldReset(home, log)
  expect(existsSync(home)).toBe(false)
  expect(await hasImage(one.docker, kept)).toBe(false)
  const pulled = ["image", "ls", "--quiet", "--filter", `reference=127.0.0.1:${one.emulator.port}/*`]
  expect((await run(one.docker.cli, pulled, { env: dockerEnv(one.docker) })).stdout).toBe("")
  expect(await hasImage(one.docker, base)).toBe(true)
})
