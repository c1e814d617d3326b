import { afterAll, beforeAll, expect, test } from "vitest"
import { ModuleWorld } from "./module.world.js"

const world = new ModuleWorld()
/** Fails in version 0.3.0, and shows what it was given. */
const smoke = 'echo "$APP_VERSION at $SMOKE_URL"; test "$APP_VERSION" != 0.3.0'
const release = (command = smoke) =>
  world.run(module => module.release(900, "", "", "text", false, "", command))

beforeAll(async () => {
  await world.start()
  await world.push("main")
  await world.release()
})
afterAll(() => world.remove())

test("a new version is checked once it is serving, and not again after it passed", {
  timeout: 120_000,
}, async () => {
  await world.pushCommit("feat: second")
  expect(await release()).toMatch(/^completed: hello\/hello runs 0\.2\.0/)
  expect((await world.service()).tags["ecs-release:smoke-check"]).toMatch(/^\d{4}-/)
  const before = await world.tasks("ecs-release")
  await release()
  expect(await world.tasks("ecs-release")).toEqual(before)
})

test("a version that does not pass is rolled back, with the output, and does not come back", {
  timeout: 120_000,
}, async () => {
  await world.pushCommit("feat: third")
  const error = await release().catch((it: Error) => it.message)
  expect(error).toMatch(/^rolled back: 0\.3\.0 did not pass its smoke check on hello\/hello\n/)
  expect(error).toMatch(/^0\.3\.0 at http:\/\/localhost:\d+\/$/m)
  expect(error).toContain("the command exited 1")
  expect(error).toContain("0.2.0 is live again")
  expect(await world.runningVersion()).toBe("0.2.0")
  await expect(release()).rejects.toThrow(/^0\.3\.0 is not deployed: 0\.3\.0 was rolled back/)
})
