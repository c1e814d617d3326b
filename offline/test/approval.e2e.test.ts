import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { ModuleWorld } from "./module.world.js"

const world = new ModuleWorld()
const approval = { approval: "POST_SCALE_UP" }
const release = (waitForApproval = false) =>
  world.run(module => module.release(900, "", "", "text", waitForApproval), approval)

beforeAll(async () => {
  await world.start()
  await world.push("main")
  await world.release()
})
afterAll(() => world.remove())

test("a release waits for an approval, says so, and once approved the next run ends it", async () => {
  await world.pushCommit("feat: second")
  expect(await release()).toMatch(
    /^paused: 0\.2\.0 on hello\/hello, after \d+ s: ECS waits for an approval at POST_SCALE_UP/,
  )
  const { services } = JSON.parse(await world.run(module => module.status("json")))
  expect(services[0].pause).toMatchObject({ stage: "POST_SCALE_UP", otherwise: "ROLLBACK" })
  await expect(world.run(module => module.approve("0.1.0"))).rejects.toThrow(
    /^hello\/hello is waiting for approval of 0\.2\.0, not of 0\.1\.0/,
  )
  expect(await release()).toMatch(/^paused: /)

  expect(await world.run(module => module.approve("0.2.0"))).toMatch(
    /^approved: 0\.2\.0 continues after POST_SCALE_UP on hello\/hello, by arn:aws:/,
  )
  expect(await release()).toMatch(/^(completed|unchanged): hello\/hello .*0\.2\.0/)
  expect(await world.runningVersion()).toBe("0.2.0")
  expect((await world.service()).tags["ecs-release:approved-by"]).toMatch(/^arn:aws:/)
  await expect(world.run(module => module.approve())).rejects.toThrow(
    /^No deployment is waiting for approval/,
  )
})

test("the run that follows a rejected one says who rejected it and why, and it does not come back by itself", async () => {
  await world.pushCommit("feat: third")
  expect(await release()).toMatch(/^paused: 0\.3\.0/)
  const printed = vi.spyOn(console, "log")
  const following = release(true).catch((error: Error) => error.message)
  const said = () => printed.mock.calls.flat().join("\n")
  await vi.waitFor(() => expect(said()).toContain("waiting for an approval at POST_SCALE_UP"), 60_000)
  const rejected = await world.run(module => module.reject("the page is broken", "0.3.0"))
  expect(rejected).toMatch(
    /^rejected: ECS rolls 0\.3\.0 back on hello\/hello, by arn:aws:.*: the page is broken/,
  )
  const end = await following
  expect(end).toMatch(/^rolled back: 0\.3\.0 was rejected .*\nrejected by arn:aws:.*: the page is broken/)
  expect(await world.runningVersion()).toBe("0.2.0")
  await expect(release()).rejects.toThrow(/^0\.3\.0 is not deployed: 0\.3\.0 was rejected by arn:aws/)
})

test("a rollback stops a deployment that waits", async () => {
  await world.pushCommit("feat: fourth")
  expect(await release()).toMatch(/^paused: 0\.4\.0/)
  expect(await world.run(module => module.rollback())).toMatch(/^completed: stopped 0\.4\.0/)
  expect(await world.runningVersion()).toBe("0.2.0")
})

test("the service is restarted, scaled, and its log read", async () => {
  const before = (await world.service()).service?.deployments?.[0]?.id
  const settings = { approval: "" }
  // The hook of the tests before this one is still the service's.
  const waits = await world.run(module => module.restart(), settings)
  expect(waits).toMatch(/^paused: 0\.2\.0 on hello\/hello/)
  await expect(world.run(module => module.restart(), settings)).rejects.toThrow(
    /^hello\/hello is not restarted: deployment ecs-svc\/\S+ is in progress/,
  )
  await world.run(module => module.approve(), settings)
  expect(await world.run(module => module.deploy("0.2.0"))).toMatch(/^(completed|unchanged): /)
  const { service, tags } = await world.service()
  expect(service?.deployments?.[0]?.id).not.toBe(before)
  expect(tags).not.toHaveProperty("ecs-release:rolled-back")

  expect(await world.run(module => module.scale(2))).toMatch(
    /^completed: hello\/hello runs 2 tasks, after \d+ s/,
  )
  expect((await world.service()).service).toMatchObject({ desiredCount: 2, runningCount: 2 })
  expect(await world.run(module => module.scale(1))).toMatch(/^completed: hello\/hello runs 1 task, /)

  expect(await world.run(module => module.logs("1h"))).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z [0-9a-f]{8} app {2}\S.*$/m,
  )
  expect(await world.run(module => module.logs("2099-01-01"))).toBe("")
})
