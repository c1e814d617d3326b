import { TagResourceCommand } from "@aws-sdk/client-ecs"
import { describe, expect, it } from "vitest"
import { bringing, eachTest, event, lines, old, oldActive, run, world } from "./deploy.scene.js"
import {
  at,
  deployment,
  ecs,
  play,
  rejection,
  revision,
  service,
  stoppedTask,
  type World,
} from "./ecs/mock.js"

eachTest()

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
  // The emulator makes the old deployment primary again and keeps the failed one forever.
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
    it(`says rolled back first, once the old version is live (${name})`, async () => {
      play(world(script, extra))
      const error = await rejection(run())
      expect(error.message.split("\n")).toEqual([
        "rolled back: 1.1.0 failed on prod/web and ECS went back; 1.0.0 (web:1) is live",
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

  it("notes on the revision that it was rolled back, and what its task ended with", async () => {
    play(world(amazon, extra))
    await rejection(run())
    expect(ecs.commandCalls(TagResourceCommand).map(call => call.args[0].input)).toEqual([
      {
        resourceArn: revision(2),
        tags: [
          { key: "ecs-release:rolled-back", value: expect.any(String) },
          {
            key: "ecs-release:cause",
            value: expect.stringMatching(/^Essential container in task exited app: exit code 1/),
          },
        ],
      },
    ])
  })

  it("tells it from superseded by the event, if the deployment was never seen as failed", async () => {
    const said = event("9", "(deployment ecs-svc/new) deployment failed: tasks failed to start.")
    play(world([start, [9, service([deployment("back", 1, {})], { events: [said] })]], extra))
    expect((await rejection(run())).message).toMatch(/^rolled back: /)
  })

  it("says failed if the rollback fails too", async () => {
    const back = deployment("back", 1, {
      rolloutState: "FAILED",
      rolloutStateReason: "tasks failed to start",
    })
    play(world([start, [9, service([back, gone])]], extra))
    expect((await rejection(run())).message).toMatch(
      /^failed: 1\.1\.0 on prod\/web\n.*the rollback failed too: tasks failed/,
    )
  })

  it("says failed if there is no completed deployment to go back to", async () => {
    play(world([start, [9, service([bringing(failed)])]], extra))
    expect((await rejection(run())).message).toMatch(
      /^failed: .*\n.*there is no completed deployment to go back to/,
    )
  })

  it("says failed at once if the service has no rollback", async () => {
    const off = { deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: false } } }
    play(world([start, [9, service([bringing(failed), oldActive], off)]], extra))
    expect((await rejection(run())).message).toMatch(/^failed: .*\n.*the service has no automatic rollback/)
    expect(Date.now()).toBeLessThan(at(12).getTime())
  })
})
