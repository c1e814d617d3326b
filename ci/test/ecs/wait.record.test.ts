import {
  DescribeServiceDeploymentsCommand,
  DescribeServiceRevisionsCommand,
  ListServiceDeploymentsCommand,
  type ServiceDeployment,
  StopServiceDeploymentCommand,
  TagResourceCommand,
} from "@aws-sdk/client-ecs"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { deploy } from "../../src/deploy.js"
import { rollback } from "../../src/rollback.js"
import {
  at,
  aws,
  definition,
  deployment,
  ecs,
  image,
  play,
  revision,
  service,
  settle,
  where,
} from "./mock.js"

/** A record of ECS's, which brings revision 2. */
type Record = ServiceDeployment & { listedFrom?: number }

/** ECS's records; each can be listed late. */
function records(all: Record[]): void {
  const seconds = () => (Date.now() - at(0).getTime()) / 1000
  ecs.on(ListServiceDeploymentsCommand).callsFake(() => ({
    serviceDeployments: all
      .filter(({ listedFrom = 0 }) => listedFrom <= seconds())
      .map(it => ({ ...it, targetServiceRevisionArn: "r2" })),
  }))
  ecs.on(DescribeServiceRevisionsCommand).resolves({
    serviceRevisions: [{ serviceRevisionArn: "r2", taskDefinition: revision(2) }],
  })
  ecs.on(DescribeServiceDeploymentsCommand).callsFake(({ serviceDeploymentArns: [arn] }) => ({
    serviceDeployments: all.filter(it => it.serviceDeploymentArn === arn),
  }))
}

/** The same revision was rolled back before. */
const earlier: Record = {
  serviceDeploymentArn: "earlier",
  status: "ROLLBACK_SUCCESSFUL",
  createdAt: at(-600),
  finishedAt: at(-300),
}
/** Ours: AWS cuts its time to the second, so it seems to be older than the deployment. */
const ours: Record = { serviceDeploymentArn: "ours", status: "IN_PROGRESS", createdAt: at(0) }
const createdAt = new Date(at(0).getTime() + 700)

const run = () =>
  deploy(aws, { ...where, image: image("b"), version: "1.1.0", timeoutSeconds: 600, print: () => {} })
const marks = () =>
  ecs.commandCalls(TagResourceCommand).flatMap(call => call.args[0].input.tags?.map(({ key }) => key))

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe("a record of an earlier deployment of the same revision", () => {
  const tags = [{ key: "ecs-release:version", value: "1.1.0" }]
  const registered = [
    { definition: definition(1, "a", "1.0.0") },
    { definition: definition(2, "b", "1.1.0"), tags },
  ]
  const blueGreen = { deploymentConfiguration: { strategy: "BLUE_GREEN" as const } }
  const old = deployment("old", 1, {})
  const shifting = deployment("new", 2, { rolloutState: "IN_PROGRESS", createdAt })
  const shifts = {
    before: service([old], blueGreen),
    updated: [[0, service([shifting, { ...old, status: "ACTIVE" }], blueGreen)]] as [
      number,
      ReturnType<typeof service>,
    ][],
    definitions: registered,
  }

  it("decides nothing while ours is not listed yet (blue/green)", async () => {
    play({ ...shifts, definitions: [...registered] })
    const late = { ...ours, listedFrom: 8 }
    records([earlier, late])
    setTimeout(() => Object.assign(late, { status: "SUCCESSFUL" }), 30_000)
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
    expect(marks()).not.toContain("ecs-release:rolled-back")
  })

  it("that ended a moment before ours began decides nothing either", async () => {
    play({ ...shifts, definitions: [...registered] })
    const late = { ...ours, listedFrom: 8 }
    records([{ ...earlier, createdAt: at(-1), finishedAt: at(0) }, late])
    setTimeout(() => Object.assign(late, { status: "SUCCESSFUL" }), 30_000)
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
  })

  it("decides nothing if ECS never lists ours", async () => {
    const done = service([{ ...shifting, rolloutState: "COMPLETED" }], blueGreen)
    play({ ...shifts, updated: [...shifts.updated, [40, done]], definitions: [...registered] })
    records([earlier])
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
  })

  it("decides nothing if another deployment is primary (rolling)", async () => {
    const busy = deployment("new", 2, { rolloutState: "IN_PROGRESS", createdAt })
    const next = deployment("next", 3, { rolloutState: "IN_PROGRESS" })
    play({
      before: service([old]),
      updated: [
        [0, service([busy, { ...old, status: "ACTIVE" }])],
        [10, service([next])],
      ],
      definitions: [...registered],
    })
    records([earlier])
    await expect(settle(run())).rejects.toThrow(/^superseded: /)
    expect(marks()).not.toContain("ecs-release:rolled-back")
  })

  it("decides nothing for ECS's own rollback to that revision", async () => {
    const back = (state: object) =>
      service([
        deployment("back", 1, {
          rolloutStateReason: "rolling back to deploymentId ecs-svc/old",
          createdAt: at(0),
          ...state,
        }),
        deployment("new", 2, { status: "ACTIVE", rolloutState: "FAILED" }),
      ])
    const world = { before: back({ rolloutState: "IN_PROGRESS" }), definitions: [...registered] }
    play(world)
    ecs.on(ListServiceDeploymentsCommand).resolves({
      serviceDeployments: [{ ...earlier, status: "SUCCESSFUL", targetServiceRevisionArn: "r1" }],
    })
    ecs.on(DescribeServiceRevisionsCommand).resolves({
      serviceRevisions: [{ serviceRevisionArn: "r1", taskDefinition: revision(1) }],
    })
    ecs.on(DescribeServiceDeploymentsCommand).resolves({ serviceDeployments: [{ status: "SUCCESSFUL" }] })
    const failed = deployment("back", 1, { rolloutState: "FAILED", rolloutStateReason: "no capacity" })
    setTimeout(() => {
      world.before = service([failed])
    }, 20_000)
    await expect(settle(rollback(aws, { ...where, repository: "web", print: () => {} }))).rejects.toThrow(
      /^failed: /,
    )
  })

  it("is not the one that a rollback stops", async () => {
    const busy = deployment("busy", 2, { rolloutState: "IN_PROGRESS", createdAt })
    play({
      before: service([busy, { ...old, status: "ACTIVE" }]),
      updated: [[0, service([deployment("back", 1, {})])]],
      definitions: [...registered],
      images: { "1.0.0": `sha256:${"a".repeat(64)}` },
    })
    records([{ ...earlier, status: "SUCCESSFUL" }])
    ecs.on(StopServiceDeploymentCommand).resolves({ serviceDeploymentArn: "earlier" })
    await settle(rollback(aws, { ...where, repository: "web", print: () => {} }))
    expect(ecs.commandCalls(StopServiceDeploymentCommand)).toHaveLength(0)
  })
})

describe("our own record", () => {
  it("decides a rolling deployment whose failure was never seen", async () => {
    const old = deployment("old", 1, {})
    const busy = deployment("new", 2, { rolloutState: "IN_PROGRESS", createdAt })
    play({
      before: service([old]),
      updated: [
        [0, service([busy, { ...old, status: "ACTIVE" }])],
        [10, service([deployment("back", 1, {})])],
      ],
      definitions: [{ definition: definition(1, "a", "1.0.0") }],
    })
    records([earlier, { ...ours, status: "ROLLBACK_SUCCESSFUL", finishedAt: at(9) }])
    await expect(settle(run())).rejects.toThrow(/^rolled back: /)
  })
})
