import { DescribeServicesCommand, TagResourceCommand, UpdateServiceCommand } from "@aws-sdk/client-ecs"
import { describe, expect, it } from "vitest"
import { at, ecs, failure, play, revision, service, settle, type World, where } from "./ecs.js"
import { bringing, eachTest, event, lines, old, oldActive, run, world } from "./release.js"

eachTest()

describe("a deployment that completes", () => {
  const script: World["updated"] = [
    [0, service([bringing({ pendingCount: 2 }), oldActive], { events: [event("1", "has started 2 tasks")] })],
    [
      8,
      service([bringing({ runningCount: 2 }), oldActive], {
        events: [event("2", "registered 2 targets"), event("1", "has started 2 tasks")],
      }),
    ],
    [20, service([bringing({ runningCount: 2, rolloutState: "COMPLETED" })])],
  ]

  it("clones the task definition, updates the service and says completed first", async () => {
    play(world(script))
    const outcome = await settle(run())
    expect(outcome.text).toMatch(/^completed: prod\/web runs 1\.1\.0: 2 of 2 running, after 2\d s/)
    expect(outcome).toMatchObject({ word: "completed", revision: revision(2), deploymentId: "ecs-svc/new" })
    expect(ecs.commandCalls(UpdateServiceCommand)[0]?.args[0].input).toEqual({
      ...where,
      taskDefinition: revision(2),
    })
  })

  it("prints each event once, and the counts when they change", async () => {
    play(world(script))
    await settle(run())
    expect(lines.filter(line => line.includes("has started 2 tasks"))).toHaveLength(1)
    expect(lines.filter(line => line.includes("registered 2 targets"))).toHaveLength(1)
    expect(lines.filter(line => line.includes("new tasks:"))).toEqual([
      expect.stringMatching(/^ {3}0 s {2}new tasks: 0 of 2 running, 2 pending; other tasks: 2 running$/),
      expect.stringMatching(/^ {3}8 s {2}new tasks: 2 of 2 running; other tasks: 2 running$/),
      expect.stringMatching(/^ {2}20 s {2}new tasks: 2 of 2 running$/),
    ])
  })

  it("notes on the revision that it completed", async () => {
    play(world(script))
    await settle(run())
    const tagged = ecs.commandCalls(TagResourceCommand).map(call => call.args[0].input)
    expect(tagged).toEqual([
      { resourceArn: revision(2), tags: [{ key: "ecs-release:completed", value: at(20).toISOString() }] },
    ])
  })

  it("goes on where a note may not be set, and says so", async () => {
    play(world(script))
    ecs
      .on(TagResourceCommand)
      .rejects(failure("AccessDeniedException", "not authorized to perform: ecs:TagResource"))
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
    expect(lines.join("\n")).toMatch(/warning: could not note ecs-release:completed.*web:2.*ecs:TagResource/s)
  })

  it("looks often at first and every 5 s later: at most 90 calls in five minutes", async () => {
    play(
      world([
        [0, service([bringing({ runningCount: 2 }), oldActive])],
        [300, service([bringing({ runningCount: 2, rolloutState: "COMPLETED" })])],
      ]),
    )
    await settle(run())
    expect(ecs.calls().length).toBeLessThan(90)
    expect(ecs.commandCalls(DescribeServicesCommand).length).toBeGreaterThan(60)
  })

  it("is not fooled by a look from before the update", async () => {
    play(world([[0, service([old])], ...script.slice(1)], { answer: service([bringing({}), oldActive]) }))
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
  })

  it("says that nothing runs where none is desired", async () => {
    const done = bringing({ desiredCount: 0, rolloutState: "COMPLETED" })
    play(world([[0, service([done], { desiredCount: 0 })]]))
    expect((await settle(run())).text).toContain("runs no task, since its desired count is 0")
  })

  it("completes where ECS gives no rollout state, once it is alone and its tasks run", async () => {
    const bare = { rolloutState: undefined }
    play(
      world(
        [
          [0, service([bringing({ ...bare, runningCount: 2 }), { ...oldActive, ...bare }])],
          [9, service([bringing({ ...bare, runningCount: 2 })])],
        ],
        { before: service([{ ...old, ...bare }]) },
      ),
    )
    expect((await settle(run())).seconds).toBeGreaterThanOrEqual(9)
  })
})
