import {
  DescribeServicesCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  TagResourceCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { describe, expect, it } from "vitest"
import { Overtaken } from "../src/ecs/rollout.js"
import { bringing, eachTest, event, lines, old, oldActive, run, world } from "./deploy.scene.js"
import {
  at,
  definition,
  deployment,
  ecs,
  failure,
  play,
  rejection,
  revision,
  service,
  settle,
  type World,
  where,
} from "./ecs/mock.js"

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
      expect.stringMatching(/^ {2}1[0-2] s {2}new tasks: 2 of 2 running; other tasks: 2 running$/),
      expect.stringMatching(/^ {2}2[0-5] s {2}new tasks: 2 of 2 running$/),
    ])
  })

  it("notes on the revision that it completed", async () => {
    play(world(script))
    await settle(run())
    const tagged = ecs.commandCalls(TagResourceCommand).map(call => call.args[0].input)
    expect(tagged).toEqual([
      { resourceArn: revision(2), tags: [{ key: "ecs-release:completed", value: expect.any(String) }] },
    ])
    const [{ value: completed = "" } = {}] = tagged[0]?.tags ?? []
    expect(Date.parse(completed)).toBeGreaterThanOrEqual(at(20).getTime())
  })

  it("continues if a note can't be set, and says so", async () => {
    play(world(script))
    ecs
      .on(TagResourceCommand)
      .rejects(failure("AccessDeniedException", "not authorized to perform: ecs:TagResource"))
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
    expect(lines.join("\n")).toMatch(/warning: could not note ecs-release:completed.*web:2.*ecs:TagResource/s)
  })

  it("is not an error if the tasks can't be read, at the end or before it", async () => {
    const stopping = service([bringing({ runningCount: 2, failedTasks: 1 }), oldActive])
    play(
      world([script[0] as [number, typeof stopping], [8, stopping], script[2] as [number, typeof stopping]]),
    )
    ecs
      .on(ListTasksCommand)
      .rejects(failure("AccessDeniedException", "not authorized to perform: ecs:ListTasks"))
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
    expect(lines.join("\n")).toContain(
      "could not find out why tasks stopped: not authorized to perform: ecs:ListTasks",
    )
  })

  it("only writes tags once it has been seen to complete", async () => {
    play(world(script))
    await settle(run())
    const names = ecs.calls().map(call => call.args[0].constructor.name)
    expect(names.slice(names.lastIndexOf("DescribeServicesCommand") + 1)).toEqual([
      "TagResourceCommand",
      "UntagResourceCommand",
    ])
  })

  it("makes fewer calls in five minutes than the AWS CLI's waiter, and sees the end soon", async () => {
    play(
      world([
        [0, service([bringing({ runningCount: 2 }), oldActive])],
        [300, service([bringing({ runningCount: 2, rolloutState: "COMPLETED" })])],
      ]),
    )
    const { seconds } = await settle(run())
    expect(seconds).toBeLessThanOrEqual(330)
    const asked = ecs.calls().map(call => call.args[0].constructor.name)
    const waiting = asked.slice(asked.indexOf("UpdateServiceCommand"))
    // `aws ecs wait services-stable` asks at once, and then every 15 s.
    expect(waiting.filter(it => it === "DescribeServicesCommand").length).toBeLessThan(300 / 15 + 1)
  })

  it("is not fooled by a poll from before the update", async () => {
    play(world([[0, service([old])], ...script.slice(1)], { answer: service([bringing({}), oldActive]) }))
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
  })

  it("says that nothing runs if no tasks are desired", async () => {
    const done = bringing({ desiredCount: 0, rolloutState: "COMPLETED" })
    play(world([[0, service([done], { desiredCount: 0 })]]))
    expect((await settle(run())).text).toContain("runs no task, since its desired count is 0")
  })

  it("completes if ECS gives no rollout state, once it is alone and its tasks run", async () => {
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

describe("right before the service is updated", () => {
  const newer = (image: string) => ({
    definitions: [
      { definition: definition(1, "a", "1.0.0") },
      { definition: definition(2, image, "1.2.0"), tags: [{ key: "ecs-release:version", value: "1.2.0" }] },
    ],
  })
  /** Another run's newer version, which is there from the moment that this run has registered its own. */
  const overtake = () => {
    const theirs = service([deployment("theirs", 2, { rolloutState: "IN_PROGRESS" }), oldActive])
    ecs.on(RegisterTaskDefinitionCommand).callsFake(input => {
      ecs.on(DescribeServicesCommand).resolves({ services: [theirs] })
      return { taskDefinition: { ...input, revision: 3, taskDefinitionArn: revision(3) } }
    })
  }

  it("a newer version that came in the meantime is left alone", async () => {
    play(world([], newer("c")))
    overtake()
    const error = await rejection(run({ keepNewer: true }))
    expect(error).toBeInstanceOf(Overtaken)
    expect(error.message).toMatch(
      /^superseded: prod\/web has 1\.2\.0, which is newer than 1\.1\.0; nothing is deployed/,
    )
    expect(ecs.commandCalls(UpdateServiceCommand)).toEqual([])
  })

  it("a version that this pipeline did not release does not count as newer", async () => {
    const done = deployment("new", 3, {})
    const foreign = { definitions: newer("c").definitions.map(({ definition }) => ({ definition })) }
    play(world([[0, service([done])]], { ...foreign, before: service([deployment("theirs", 2, {})]) }))
    await expect(settle(run({ keepNewer: true }))).resolves.toMatchObject({ word: "completed" })
  })

  it("the same version that another run has started in the meantime is followed", async () => {
    const theirs = deployment("theirs", 2, { rolloutState: "IN_PROGRESS" })
    play(
      world([], {
        definitions: [
          { definition: definition(1, "a", "1.0.0") },
          { definition: definition(2, "b", "1.1.0") },
        ],
      }),
    )
    ecs.on(RegisterTaskDefinitionCommand).callsFake(input => {
      ecs
        .on(DescribeServicesCommand)
        .resolvesOnce({ services: [service([theirs, oldActive])] })
        .resolves({ services: [service([{ ...theirs, rolloutState: "COMPLETED" }])] })
      return { taskDefinition: { ...input, revision: 3, taskDefinitionArn: revision(3) } }
    })
    const outcome = await settle(run({ keepNewer: true }))
    expect(outcome).toMatchObject({
      word: "completed",
      revision: revision(2),
      deploymentId: "ecs-svc/theirs",
    })
    expect(ecs.commandCalls(UpdateServiceCommand)).toEqual([])
  })

  it("a deployment of the same version that takes over is followed to its end", async () => {
    const theirs = deployment("theirs", 3, { rolloutState: "IN_PROGRESS" })
    const mine = { ...bringing({}), status: "ACTIVE" }
    const definitions = [1, 3].map(number => ({
      definition: definition(number, number === 1 ? "a" : "b", number === 1 ? "1.0.0" : "1.1.0"),
    }))
    play(
      world(
        [
          [0, service([bringing({}), oldActive])],
          [3, service([theirs, mine, oldActive])],
          [20, service([{ ...theirs, rolloutState: "COMPLETED" }])],
        ],
        { definitions },
      ),
    )
    ecs.on(RegisterTaskDefinitionCommand).callsFake(input => {
      return { taskDefinition: { ...input, revision: 2, taskDefinitionArn: revision(2) } }
    })
    const outcome = await settle(run({ keepNewer: true }))
    expect(outcome).toMatchObject({
      word: "completed",
      revision: revision(3),
      deploymentId: "ecs-svc/theirs",
    })
    expect(lines.join("\n")).toContain("ecs-svc/theirs of another run took over and deploys 1.1.0 as well")
  })

  it("it is replaced if that was asked for", async () => {
    const done = deployment("new", 3, {})
    play(world([[0, service([done])]], { ...newer("c"), before: service([deployment("theirs", 2, {})]) }))
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
  })

  it("the caller's last check can stop it", async () => {
    play(world([]))
    const beforeUpdate = () => Promise.reject(new Overtaken("superseded: by a tag"))
    expect((await rejection(run({ beforeUpdate }))).message).toBe("superseded: by a tag")
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(1)
    expect(ecs.commandCalls(UpdateServiceCommand)).toEqual([])
  })
})
