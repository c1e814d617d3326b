import { ListServiceDeploymentsCommand } from "@aws-sdk/client-ecs"
import { describe, expect, it } from "vitest"
import { bringing, eachTest, lines, old, oldActive, run, world } from "./deploy.scene.js"
import {
  definition,
  deployment,
  ecs,
  failure,
  image,
  play,
  rejection,
  service,
  settle,
  stoppedTask,
} from "./ecs/mock.js"

eachTest()

describe("a deployment that another one replaces", () => {
  const next = deployment("next", 3, { rolloutState: "IN_PROGRESS", runningCount: 0 })
  const newer = { definition: definition(3, "c", "1.2.0") }

  it("says superseded, without waiting for the other", async () => {
    const scene = world([
      [0, service([bringing({}), oldActive])],
      [9, service([next, bringing({ status: "ACTIVE" }), oldActive])],
    ])
    scene.definitions.push(newer)
    play(scene)
    scene.definitions.reverse()
    const error = await rejection(run({ image: image("b") }))
    expect(error.message).toMatch(
      /^superseded: another deployment took over prod\/web before 1\.1\.0 finished/,
    )
    expect(error.message).toContain("deployment ecs-svc/next (web:3)")
  })

  it("does not mistake another's for its own if ECS answers late", async () => {
    const both = service([next, bringing({ status: "ACTIVE" }), oldActive])
    const scene = world(
      [
        [0, both],
        [9, service([{ ...next, rolloutState: "COMPLETED" }])],
      ],
      { answer: both },
    )
    scene.definitions.unshift(newer)
    play(scene)
    expect((await rejection(run())).message).toMatch(/^superseded: .*\ndeployment ecs-svc\/next/)
  })

  it("does not if ECS's answer does not contain its own at all", async () => {
    const theirs = service([{ ...next, rolloutState: "COMPLETED" }])
    play(world([[0, theirs]], { answer: theirs }))
    expect((await rejection(run())).message).toMatch(/^superseded: /)
  })

  it("says superseded if its own deployment has left the list", async () => {
    play(
      world([
        [0, service([bringing({}), oldActive])],
        [9, service([next])],
      ]),
    )
    expect((await rejection(run())).message).toMatch(/^superseded: /)
  })

  it("waits for a second look before it believes so", async () => {
    play(
      world([
        [0, service([bringing({}), oldActive])],
        [4, service([old])],
        [5, service([bringing({ rolloutState: "COMPLETED" })])],
      ]),
    )
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
  })

  it("uses the older calls if reading ECS's record is not allowed", async () => {
    play(
      world([
        [0, service([bringing({}), oldActive])],
        [9, service([next])],
      ]),
    )
    ecs.on(ListServiceDeploymentsCommand).rejects(failure("AccessDeniedException", "not authorized"))
    expect((await rejection(run())).message).toMatch(/^superseded: /)
  })

  it("says that it interrupts a deployment in progress, and does", async () => {
    const other = deployment("other", 1, { rolloutState: "IN_PROGRESS", runningCount: 1 })
    play(world([[0, service([bringing({ rolloutState: "COMPLETED" })])]], { before: service([other]) }))
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
    expect(lines).toContain("deployment ecs-svc/other (web:1) is in progress: this one takes its place")
  })
})

describe("a deployment that takes too long", () => {
  it("says timed out first, what it was doing, why, and what to do", async () => {
    const unhealthy = stoppedTask("aaaaaaaa1", 2, {
      stopCode: "ServiceSchedulerInitiated",
      stoppedReason: "Task failed container health checks",
      containers: [{ name: "app", exitCode: 143 }],
    })
    play(world([[0, service([bringing({ pendingCount: 2 }), oldActive])]], { stopped: [unhealthy] }))
    const error = await rejection(run({ timeoutSeconds: 60 }))
    expect(error.message).toMatch(/^timed out after 60 s: 1\.1\.0 on prod\/web\n/)
    expect(error.message).toContain("still in progress (0 of 2 running, 2 pending)")
    expect(error.message).toContain("ECS continues and rolls back by itself if it fails")
    expect(error.message).toContain("Task failed container health checks (app: exit code 143)")
    expect(error.message).toMatch(/→ Tasks start but their health check fails.*Run the same command again/)
  })

  it("reports failing tasks while it waits, even without a circuit breaker", async () => {
    const off = { deploymentConfiguration: {} }
    const failing = { stopped: [stoppedTask("aaaaaaaa1", 2)] }
    play(world([[0, service([bringing({ pendingCount: 1 }), oldActive], off)]], failing))
    const error = await rejection(run({ timeoutSeconds: 60 }))
    expect(lines.filter(line => line.includes("task aaaaaaaa stopped: Essential container"))).toHaveLength(1)
    expect(error.message).toContain("the service has no automatic rollback")
  })

  it("says that the rollback is still in progress if it is", async () => {
    const back = deployment("back", 1, { rolloutState: "IN_PROGRESS", rolloutStateReason: "rolling back" })
    const failed = bringing({
      status: "ACTIVE",
      rolloutState: "FAILED",
      rolloutStateReason: "tasks failed to start",
    })
    play(
      world([
        [0, service([bringing({}), oldActive])],
        [9, service([back, failed])],
      ]),
    )
    const error = await rejection(run({ timeoutSeconds: 60 }))
    expect(error.message).toMatch(
      /^timed out .*\nthe deployment failed \(tasks failed to start\) and ECS is still going back/,
    )
  })
})
