import {
  DescribeServiceDeploymentsCommand,
  DescribeServiceRevisionsCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  ListServiceDeploymentsCommand,
  type ServiceDeployment,
} from "@aws-sdk/client-ecs"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { deploy } from "../../src/deploy.js"
import { initialState, judge } from "../../src/ecs/judge.js"
import { progress } from "../../src/ecs/progress.js"
import { secondsToNextPoll } from "../../src/ecs/wait.js"
import {
  at,
  aws,
  definition,
  deployment,
  ecs,
  failure,
  image,
  play,
  rejection,
  revision,
  service,
  settle,
  type World,
  where,
} from "./mock.js"

const recordArn = "arn:aws:ecs:eu-north-1:123456789012:service-deployment/prod/web/abc"
const target = "arn:aws:ecs:eu-north-1:123456789012:service-revision/prod/web/2"

/** ECS's record of the new deployment, through time. */
function record(script: [number, Partial<ServiceDeployment>][]): void {
  ecs.on(ListServiceDeploymentsCommand).resolves({
    serviceDeployments: [
      {
        serviceDeploymentArn: `${recordArn}-old`,
        targetServiceRevisionArn: `${target}-old`,
        createdAt: at(-900),
      },
      { serviceDeploymentArn: recordArn, targetServiceRevisionArn: target, createdAt: at(0) },
    ],
  })
  ecs.on(DescribeServiceRevisionsCommand).resolves({
    serviceRevisions: [
      { serviceRevisionArn: target, taskDefinition: revision(2) },
      { serviceRevisionArn: `${target}-old`, taskDefinition: revision(1) },
    ],
  })
  ecs.on(DescribeServiceDeploymentsCommand).callsFake(({ serviceDeploymentArns: [arn] }) => {
    expect(arn).toBe(recordArn)
    const seconds = (Date.now() - at(0).getTime()) / 1000
    const now = script.filter(([from]) => from <= seconds).at(-1)?.[1]
    return { serviceDeployments: now ? [{ serviceDeploymentArn: recordArn, ...now }] : [] }
  })
}

const strategy = (name: "BLUE_GREEN" | "CANARY" | "LINEAR") => ({
  deploymentConfiguration: { strategy: name, bakeTimeInMinutes: 5 },
})
const old = deployment("old", 1, { rolloutState: undefined })
const green = deployment("new", 2, { rolloutState: undefined, runningCount: 2, createdAt: at(0) })

function world(kind: "BLUE_GREEN" | "CANARY" | "LINEAR"): World {
  const extra = strategy(kind)
  return {
    before: service([old], extra),
    updated: [[0, service([green, { ...old, status: "ACTIVE" }], extra)]],
    definitions: [{ definition: definition(1, "a", "1.0.0") }],
  }
}

let lines: string[]
const run = (extra: object = {}) =>
  deploy(aws, {
    ...where,
    image: image("b"),
    version: "1.1.0",
    timeoutSeconds: 1200,
    print: (line: string) => lines.push(line),
    ...extra,
  })

beforeEach(() => {
  lines = []
})
afterEach(() => {
  vi.useRealTimers()
})

describe("a blue/green deployment", () => {
  it("is followed through its stages and its bake time", async () => {
    play(world("BLUE_GREEN"))
    record([
      [0, { status: "IN_PROGRESS", lifecycleStage: "SCALE_UP" }],
      [20, { status: "IN_PROGRESS", lifecycleStage: "PRODUCTION_TRAFFIC_SHIFT" }],
      [30, { status: "IN_PROGRESS", lifecycleStage: "BAKE_TIME" }],
      [330, { status: "SUCCESSFUL", lifecycleStage: "CLEAN_UP" }],
    ])
    const outcome = await settle(run())
    expect(outcome.word).toBe("completed")
    expect(outcome.seconds).toBeGreaterThanOrEqual(330)
    expect(lines.filter(line => line.includes("stage"))).toEqual([
      expect.stringMatching(/stage SCALE_UP: new tasks start$/),
      expect.stringMatching(/stage PRODUCTION_TRAFFIC_SHIFT: production traffic moves/),
      expect.stringMatching(/stage BAKE_TIME: both revisions run, ECS can still go back for 5 min$/),
      expect.stringMatching(/stage CLEAN_UP: old tasks stop$/),
    ])
  })

  it("that ECS rolls back ends as rolled back, once that is done", async () => {
    const rollback = { reason: "Service deployment rolled back because of a CloudWatch alarm" }
    const scene = world("BLUE_GREEN")
    scene.updated?.push([60, service([old], strategy("BLUE_GREEN"))])
    play(scene)
    record([
      [0, { status: "IN_PROGRESS", lifecycleStage: "BAKE_TIME" }],
      [30, { status: "ROLLBACK_IN_PROGRESS", rollback }],
      [60, { status: "ROLLBACK_SUCCESSFUL", rollback }],
    ])
    const error = await rejection(run())
    expect(error.message).toMatch(
      /^rolled back: 1\.1\.0 failed on prod\/web and ECS went back; 1\.0\.0 \(web:1\) is live\n/,
    )
    expect(error.message).toContain(rollback.reason)
    expect(lines.join("\n")).toContain(`service deployment: ROLLBACK_IN_PROGRESS: ${rollback.reason}`)
  })

  it("whose rollback fails ends as failed", async () => {
    play(world("BLUE_GREEN"))
    record([[0, { status: "ROLLBACK_FAILED", statusReason: "no capacity" }]])
    expect((await rejection(run())).message).toMatch(/^failed: .*\nno capacity; ECS's rollback failed too/)
  })

  it("that is stopped ends as failed", async () => {
    play(world("BLUE_GREEN"))
    record([[0, { status: "STOPPED", statusReason: "stopped by a user" }]])
    expect((await rejection(run())).message).toMatch(/^failed: .*\nstopped by a user/)
  })

  it("is not complete just because its tasks run: the record decides", async () => {
    const scene = world("BLUE_GREEN")
    scene.updated = [[0, service([{ ...green, rolloutState: "COMPLETED" }], strategy("BLUE_GREEN"))]]
    play(scene)
    record([[0, { status: "IN_PROGRESS", lifecycleStage: "BAKE_TIME" }]])
    expect((await rejection(run({ timeoutSeconds: 60 }))).message).toMatch(/^timed out after 60 s/)
  })
})

it("a canary deployment's traffic is shown as it moves", async () => {
  play(world("CANARY"))
  const stage = { status: "IN_PROGRESS", lifecycleStage: "PRODUCTION_TRAFFIC_SHIFT" } as const
  record([
    [0, { ...stage, targetServiceRevision: { requestedProductionTrafficWeight: 10 } }],
    [60, { ...stage, targetServiceRevision: { requestedProductionTrafficWeight: 100 } }],
    [90, { status: "SUCCESSFUL" }],
  ])
  await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
  expect(lines.filter(line => line.includes("production traffic on"))).toEqual([
    expect.stringMatching(/new tasks: 10 %$/),
    expect.stringMatching(/new tasks: 100 %$/),
  ])
})

it("a rolling deployment asks for the record only when another deployment is primary", async () => {
  const before = service([deployment("old", 1, {})])
  const busy = deployment("new", 2, { rolloutState: "IN_PROGRESS" })
  const next = deployment("next", 3, { rolloutState: "IN_PROGRESS" })
  const definitions = [{ definition: definition(1, "a", "1.0.0") }]
  play({
    before,
    updated: [
      [0, service([busy])],
      [30, service([next])],
    ],
    definitions,
  })
  record([[0, { status: "STOPPED", statusReason: "replaced" }]])
  expect((await rejection(run())).message).toMatch(/^superseded: .*\nreplaced/)
  expect(ecs.commandCalls(DescribeServiceDeploymentsCommand)).toHaveLength(1)
})

describe("AWS that stops answering", () => {
  const never = new Promise<never>(() => {})

  it("does not hold a run past its timeout for long", async () => {
    const busy = deployment("new", 2, { rolloutState: "IN_PROGRESS" })
    const old = deployment("old", 1, {})
    const scene = { before: service([old]), definitions: [{ definition: definition(1, "a", "1.0.0") }] }
    play({ ...scene, updated: [[0, service([busy, { ...old, status: "ACTIVE" }])]] })
    setTimeout(() => {
      ecs.on(DescribeServicesCommand).callsFake(() => never)
      ecs.on(DescribeTaskDefinitionCommand).rejects(failure("InternalError", "no"))
    }, 20_000)
    expect((await rejection(run({ timeoutSeconds: 60 }))).message).toMatch(/^timed out after 120 s/)
  })

  it("from the first look on ends the run, and the error says that ECS continues", async () => {
    play(world("BLUE_GREEN"))
    ecs
      .on(DescribeServicesCommand)
      .resolvesOnce({ services: [service([old])] })
      .callsFake(() => never)
    expect((await rejection(run({ timeoutSeconds: 60 }))).message).toBe(
      "AWS did not answer for 120 s.\nThe deployment continues in ECS: run the same command again to follow it.",
    )
  })
})

describe("one poll", () => {
  const followed = { id: "ecs-svc/new", revision: revision(2) }

  it("does not end a deployment that ECS does not list at all", () => {
    const observation = { service: service([]), elapsed: 300 }
    expect(judge(followed, initialState(), observation).judgement).toBeUndefined()
  })

  it("ends as failed if the service is being deleted", () => {
    const observation = { service: service([], { status: "DRAINING" }), elapsed: 3 }
    expect(judge(followed, initialState(), observation).judgement).toMatchObject({
      word: "failed",
      why: "the service became DRAINING",
    })
  })

  it("does not mistake an event from before the deployment for its failure", () => {
    const events = [{ id: "1", message: "(service web) deployment failed: tasks failed to start." }]
    const observation = { service: service([deployment("next", 3, {})], { events }), elapsed: 300 }
    const looks = (known: string[]) => {
      const first = judge(followed, { ...initialState(known), seen: true }, observation)
      return judge(followed, first.state, observation).judgement?.word
    }
    expect(looks(["1"])).toBe("superseded")
    expect(looks([])).toBe("rolled back")
  })

  it("does not mistake an event about another deployment for its failure", () => {
    const events = [{ id: "1", message: "(service web) (deployment ecs-svc/next) deployment failed: alarm" }]
    const observation = { service: service([deployment("next", 3, {})], { events }), elapsed: 300 }
    const first = judge(followed, { ...initialState(), seen: true }, observation)
    expect(judge(followed, first.state, observation).judgement?.word).toBe("superseded")
  })

  it("prints nothing if nothing changed", () => {
    const observation = { service: service([deployment("new", 2, {})]), elapsed: 3 }
    const first = progress(followed, { events: new Set() }, observation)
    expect(first.lines).toHaveLength(1)
    expect(progress(followed, first.printed, observation).lines).toEqual([])
  })
})

it("polls every second at first, and less and less often while there is nothing new", () => {
  expect([0, 3.9, 10, 20, 50, 1000].map(still => secondsToNextPoll(still))).toEqual([1, 1, 7, 14, 30, 30])
  expect(secondsToNextPoll(1000, true)).toBe(5)
})
