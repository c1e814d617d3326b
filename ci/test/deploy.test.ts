import { DescribeImagesCommand } from "@aws-sdk/client-ecr"
import {
  DescribeServicesCommand,
  ListServiceDeploymentsCommand,
  RegisterTaskDefinitionCommand,
  TagResourceCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { deploy, planDeploy } from "../src/deploy.js"
import {
  at,
  aws,
  definition,
  deployment,
  ecr,
  ecs,
  failure,
  image,
  play,
  rejection,
  revision,
  service,
  settle,
  stoppedTask,
  type World,
  where,
} from "./ecs.js"

const commit = "b".repeat(40)
const release = { ...where, image: image("b"), version: "1.1.0", commit, timeoutSeconds: 600 }
const old = deployment("old", 1, { createdAt: at(-1000) })
const oldActive = { ...old, status: "ACTIVE" }
const bringing = (state: object) =>
  deployment("new", 2, { rolloutState: "IN_PROGRESS", runningCount: 0, ...state })
const event = (id: string, message: string) => ({ id, message: `(service web) ${message}`, createdAt: at(1) })

let lines: string[]
const print = (line: string) => lines.push(line)
const run = (extra: object = {}) => deploy(aws, { ...release, print, ...extra })

/** A world where 1.0.0 runs as revision 1 and what follows an update is given. */
function world(updated: World["updated"], extra: Partial<World> = {}): World {
  const definitions = [{ definition: definition(1, "a", "1.0.0") }]
  return { before: service([old]), updated, definitions, ...extra }
}

beforeEach(() => {
  lines = []
})
afterEach(() => {
  vi.useRealTimers()
})

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

describe("nothing to do, or done already", () => {
  const same = (state: object) =>
    world([], {
      before: service([deployment("now", 1, state)]),
      definitions: [{ definition: definition(1, "b", "1.1.0") }],
    })

  it("leaves a service alone that runs the image and version", async () => {
    play(same({}))
    const outcome = await settle(run())
    expect(outcome.text).toBe("unchanged: prod/web runs 1.1.0 already (web:1)")
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
    expect(lines).toEqual([])
  })

  it("follows the deployment that an interrupted run left, and starts no second", async () => {
    const left = { rolloutState: "IN_PROGRESS", runningCount: 1, createdAt: at(-30) } as const
    const scene = same(left)
    const events = [
      { id: "2", message: "(service web) has started 1 tasks", createdAt: at(-20) },
      { id: "1", message: "(service web) of long ago", createdAt: at(-900) },
    ]
    scene.before = service([deployment("now", 1, left)], { events })
    play(scene)
    let looks = 0
    ecs.on(DescribeServicesCommand).callsFake(() => {
      looks += 1
      return {
        services: [looks < 5 ? scene.before : service([deployment("now", 1, { createdAt: at(-30) })])],
      }
    })
    const outcome = await settle(run())
    expect(outcome).toMatchObject({ word: "completed", deploymentId: "ecs-svc/now" })
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
    expect(lines[0]).toContain("deployment ecs-svc/now brings 1.1.0 already; following it")
    expect(lines.join("\n")).toContain("has started 1 tasks")
    expect(lines.join("\n")).not.toContain("long ago")
  })

  it("starts the same revision again where its deployment failed and stayed", async () => {
    const scene = same({ rolloutState: "FAILED", runningCount: 0 })
    scene.updated = [[0, service([deployment("again", 1, {})])]]
    play(scene)
    await expect(settle(run())).resolves.toMatchObject({ word: "completed", deploymentId: "ecs-svc/again" })
    expect(ecs.commandCalls(UpdateServiceCommand)[0]?.args[0].input).toMatchObject({
      forceNewDeployment: true,
    })
  })

  it("uses the revision that an interrupted run registered", async () => {
    const scene = world([[0, service([deployment("new", 2, {})])]])
    scene.definitions.push({
      definition: definition(2, "b", "1.1.0"),
      tags: [
        { key: "ecs-release:version", value: "1.1.0" },
        { key: "ecs-release:commit", value: commit },
      ],
    })
    play(scene)
    await settle(run())
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
    expect(lines).toContain("reusing web:2")
  })

  it("notes that the revision before completed, where the run that deployed it could not", async () => {
    const scene = world([[0, service([deployment("new", 2, {})])]])
    scene.definitions[0] = {
      definition: definition(1, "a", "1.0.0"),
      tags: [{ key: "ecs-release:version", value: "1.0.0" }],
    }
    play(scene)
    await settle(run())
    expect(ecs.commandCalls(TagResourceCommand)[0]?.args[0].input.resourceArn).toBe(revision(1))
  })

  it("plans without changing anything", async () => {
    play(world([]))
    const plan = await planDeploy(aws, release)
    expect(plan.text.split("\n")).toEqual([
      "prod/web: change of web:1:",
      `  - app.image: ${image("a")}`,
      `  + app.image: ${image("b")}`,
      "  - app.environment.APP_VERSION: 1.0.0",
      "  + app.environment.APP_VERSION: 1.1.0",
    ])
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
  })
})

describe("a deployment that ECS rolls back", () => {
  const stopped = [
    stoppedTask("aaaaaaaa1", 2),
    stoppedTask("bbbbbbbb2", 2),
    stoppedTask("cccccccc3", 1, { stoppedReason: "another revision's" }),
    stoppedTask("dddddddd4", 2, { createdAt: at(-500), stoppedReason: "another deployment's" }),
    stoppedTask("eeeeeeee5", 2, { stopCode: "UserInitiated", stoppedReason: "drained" }),
  ]
  const extra = { stopped, logLines: ["starting", "Traceback: no DATABASE_URL"] }
  const failed = {
    rolloutState: "FAILED",
    rolloutStateReason: "ECS deployment circuit breaker: tasks failed to start.",
  }
  const start: [number, ReturnType<typeof service>] = [
    0,
    service([bringing({ pendingCount: 2, createdAt: at(0) }), oldActive]),
  ]

  // AWS starts a third deployment, which brings the old revision.
  const amazon: World["updated"] = [
    start,
    [10, service([bringing({ failedTasks: 2 }), oldActive])],
    [
      20,
      service([
        deployment("back", 1, {
          rolloutState: "IN_PROGRESS",
          rolloutStateReason: "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/old.",
          runningCount: 0,
        }),
        bringing({ ...failed, status: "ACTIVE", failedTasks: 3, desiredCount: 0 }),
        oldActive,
      ]),
    ],
    [40, service([deployment("back", 1, {})])],
  ]
  // The emulator makes the old deployment primary again and keeps the failed one for ever.
  const gone = bringing({ ...failed, status: "ACTIVE", desiredCount: 0, failedTasks: 3 })
  const emulator: World["updated"] = [
    start,
    [
      20,
      service([
        gone,
        { ...old, rolloutState: "IN_PROGRESS", rolloutStateReason: "ECS deployment rollback in progress." },
      ]),
    ],
    [40, service([gone, { ...old, rolloutStateReason: "ECS deployment completed." }])],
  ]

  for (const [name, script] of Object.entries({ amazon, emulator })) {
    it(`says rolled back first, once the old version serves (${name})`, async () => {
      play(world(script, extra))
      const error = await rejection(run())
      expect(error.message.split("\n")).toEqual([
        "rolled back: 1.1.0 failed on prod/web and ECS went back; 1.0.0 (web:1) serves",
        failed.rolloutStateReason,
        "2 tasks, such as aaaaaaaa, bbbbbbbb: Essential container in task exited (app: exit code 1)",
        "last lines of /web app/app/aaaaaaaa1:",
        "  | starting",
        "  | Traceback: no DATABASE_URL",
        expect.stringMatching(/^→ The program in "app" ended by itself.*release again\.$/),
      ])
      expect(Date.now()).toBeGreaterThanOrEqual(at(40).getTime())
      expect(lines.filter(line => line.includes("the deployment failed"))).toHaveLength(1)
      expect(lines.filter(line => line.includes("task aaaaaaaa stopped"))).toHaveLength(1)
    })
  }

  it("notes on the revision that it was taken back", async () => {
    play(world(amazon, extra))
    await rejection(run())
    expect(ecs.commandCalls(TagResourceCommand).map(call => call.args[0].input)).toEqual([
      { resourceArn: revision(2), tags: [{ key: "ecs-release:rolled-back", value: expect.any(String) }] },
    ])
  })

  it("tells it from superseded where the failed deployment was never seen as such: by the event", async () => {
    const said = event("9", "(deployment ecs-svc/new) deployment failed: tasks failed to start.")
    play(world([start, [9, service([deployment("back", 1, {})], { events: [said] })]], extra))
    expect((await rejection(run())).message).toMatch(/^rolled back: /)
  })

  it("says failed where the rollback fails too", async () => {
    const back = deployment("back", 1, {
      rolloutState: "FAILED",
      rolloutStateReason: "tasks failed to start",
    })
    play(world([start, [9, service([back, gone])]], extra))
    expect((await rejection(run())).message).toMatch(
      /^failed: 1\.1\.0 on prod\/web\n.*the rollback failed too: tasks failed/,
    )
  })

  it("says failed where there is no completed deployment to go back to", async () => {
    play(world([start, [9, service([bringing(failed)])]], extra))
    expect((await rejection(run())).message).toMatch(
      /^failed: .*\n.*there is no completed deployment to go back to/,
    )
  })

  it("says failed at once where the service has no rollback", async () => {
    const off = { deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: false } } }
    play(world([start, [9, service([bringing(failed), oldActive], off)]], extra))
    expect((await rejection(run())).message).toMatch(/^failed: .*\n.*the service has no automatic rollback/)
    expect(Date.now()).toBeLessThan(at(12).getTime())
  })
})

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
      /^superseded: another deployment took over prod\/web before 1\.1\.0 was done/,
    )
    expect(error.message).toContain("deployment ecs-svc/next (web:3)")
  })

  it("says superseded where its own deployment has left the list", async () => {
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

  it("goes by the older calls where ECS's record may not be read", async () => {
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
    expect(error.message).toContain("ECS goes on and rolls back by itself if it fails")
    expect(error.message).toContain("Task failed container health checks (app: exit code 143)")
    expect(error.message).toMatch(
      /→ Tasks start but their health check does not pass.*Run the same command again/,
    )
  })

  it("tells of failing tasks while it waits, without a circuit breaker too", async () => {
    const off = { deploymentConfiguration: {} }
    const failing = { stopped: [stoppedTask("aaaaaaaa1", 2)] }
    play(world([[0, service([bringing({ pendingCount: 1 }), oldActive], off)]], failing))
    const error = await rejection(run({ timeoutSeconds: 60 }))
    expect(lines.filter(line => line.includes("task aaaaaaaa stopped: Essential container"))).toHaveLength(1)
    expect(error.message).toContain("the service has no automatic rollback")
  })

  it("says that the rollback is still under way where it is", async () => {
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

describe("AWS says no", () => {
  const refused = async (scene: World, extra: object = {}) => {
    play(scene)
    return (await rejection(run(extra))).message
  }

  it("before it acts: a service that is not active", async () => {
    const message = await refused(world([], { before: service([old], { status: "INACTIVE" }) }))
    expect(message).toMatch(/^The service "web" in cluster "prod" is INACTIVE, not ACTIVE\./)
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
  })

  it("before it acts: a service that CodeDeploy deploys", async () => {
    const before = service([old], { deploymentController: { type: "CODE_DEPLOY" } })
    expect(await refused(world([], { before }))).toContain("is deployed by CODE_DEPLOY, not by ECS")
  })

  it("before it acts: a service that is not there", async () => {
    play(world([]))
    ecs.on(DescribeServicesCommand).resolves({ services: [], failures: [{ reason: "MISSING" }] })
    expect((await rejection(run())).message).toMatch(
      /^There is no service "web" in the ECS cluster "prod" in eu-north-1/,
    )
  })

  it("before it acts: a digest that is not in ECR", async () => {
    play(world([]))
    ecr
      .on(DescribeImagesCommand)
      .rejects(failure("ImageNotFoundException", "The image with imageId … does not exist"))
    expect((await rejection(run())).message).toMatch(
      /^The image is not in the ECR repository "web" in eu-north-1/,
    )
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
  })

  it("before it acts: a digest for which ECR answers with nothing", async () => {
    play(world([]))
    ecr.on(DescribeImagesCommand).resolves({ imageDetails: [] })
    expect((await rejection(run())).message).toMatch(/^The image is not in the ECR repository "web"/)
  })

  it("before it acts: an image without a digest", async () => {
    expect(await refused(world([]), { image: "example.com/web:1.1.0" })).toContain(
      "is not named by its digest",
    )
  })

  it("while it follows: throttling passes", async () => {
    play(world([]))
    let looks = 0
    ecs.on(DescribeServicesCommand).callsFake(() => {
      looks += 1
      if (looks === 1) return { services: [service([old])] }
      if (looks < 4) throw failure("ThrottlingException", "Rate exceeded")
      return { services: [service([bringing({ rolloutState: "COMPLETED" })])] }
    })
    ecs.on(UpdateServiceCommand).resolves({ service: service([bringing({}), oldActive]) })
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
    expect(lines.filter(line => line.includes("AWS did not answer (ThrottlingException)"))).toHaveLength(2)
  })

  it("while it follows: credentials expire, and the error says that the deployment goes on", async () => {
    play(world([]))
    let looks = 0
    ecs.on(DescribeServicesCommand).callsFake(() => {
      looks += 1
      if (looks === 1) return { services: [service([old])] }
      throw failure("ExpiredTokenException", "The security token included in the request is expired")
    })
    ecs.on(UpdateServiceCommand).resolves({ service: service([bringing({}), oldActive]) })
    const { message } = await rejection(run())
    expect(message).toMatch(/^The AWS credentials have expired\./)
    expect(message).toContain("The deployment goes on in ECS: run the same command again to follow it.")
  })
})
