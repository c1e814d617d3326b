import {
  DescribeServiceDeploymentsCommand,
  DescribeServiceRevisionsCommand,
  ListServiceDeploymentsCommand,
  RegisterTaskDefinitionCommand,
  StopServiceDeploymentCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { rollback } from "../src/rollback.js"
import {
  at,
  aws,
  definition,
  deployment,
  ecs,
  play,
  revision,
  service,
  settle,
  type World,
  where,
} from "./ecs/mock.js"

const digest = (letter: string) => `sha256:${letter.repeat(64)}`
const images = { "1.0.0": digest("a"), "1.1.0": digest("b"), "1.2.0": digest("c") }
const note = (key: string, value = "2025-01-01T00:00:00.000Z") => ({ key: `ecs-release:${key}`, value })
const back = (extra: object = {}) => rollback(aws, { ...where, repository: "web", print, ...extra })

let lines: string[]
const print = (line: string) => {
  lines.push(line)
}

beforeEach(() => {
  lines = []
})
afterEach(() => {
  vi.useRealTimers()
})

describe("a rollback during a deployment", () => {
  const busy = deployment("busy", 2, { rolloutState: "IN_PROGRESS", runningCount: 1 })
  const old = deployment("old", 1, { status: "ACTIVE" })
  const world = (): World => ({
    before: service([busy, old]),
    updated: [[0, service([deployment("back", 1, {})])]],
    definitions: [
      { definition: definition(1, "a", "1.0.0"), tags: [note("completed")] },
      { definition: definition(2, "b", "1.1.0"), tags: [note("version", "1.1.0")] },
    ],
    images,
  })
  const record = "arn:aws:ecs:eu-north-1:123456789012:service-deployment/prod/web/abc"

  it("brings back the previous revision if ECS cannot stop a deployment", async () => {
    play(world())
    const outcome = await settle(back())
    expect(outcome).toMatchObject({ word: "completed", version: "1.0.0", revision: revision(1) })
    expect(ecs.commandCalls(UpdateServiceCommand)[0]?.args[0].input.taskDefinition).toBe(revision(1))
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
    expect(lines[0]).toBe("stopping deployment ecs-svc/busy of 1.1.0; going back to 1.0.0")
  })

  it("does not mistake the revision's earlier deployment, which completed, for its own", async () => {
    const scene = world()
    const back = deployment("back", 1, { rolloutState: "IN_PROGRESS", createdAt: at(5) })
    const rest = [{ ...busy, status: "ACTIVE" }, old]
    scene.updated = [
      [0, service([back, ...rest])],
      [30, service([{ ...back, rolloutState: "COMPLETED" }])],
    ]
    play(scene)
    const outcome = await settle(rollback(aws, { ...where, repository: "web", print }))
    expect(outcome.deploymentId).toBe("ecs-svc/back")
    expect(outcome.seconds).toBeGreaterThanOrEqual(30)
  })

  it("has ECS stop it if ECS can, and waits until the old version is running", async () => {
    const scene = world()
    play(scene)
    ecs.on(ListServiceDeploymentsCommand).resolves({
      serviceDeployments: [
        { serviceDeploymentArn: record, targetServiceRevisionArn: "r2", createdAt: at(0) },
      ],
    })
    ecs.on(DescribeServiceRevisionsCommand).resolves({
      serviceRevisions: [{ serviceRevisionArn: "r2", taskDefinition: revision(2) }],
    })
    ecs.on(DescribeServiceDeploymentsCommand).callsFake(() => {
      const done = Date.now() >= at(15).getTime()
      return { serviceDeployments: [{ status: done ? "ROLLBACK_SUCCESSFUL" : "ROLLBACK_IN_PROGRESS" }] }
    })
    ecs.on(StopServiceDeploymentCommand).callsFake(() => {
      scene.before = service([
        deployment("back", 1, { rolloutState: "IN_PROGRESS" }),
        { ...busy, status: "ACTIVE" },
      ])
      return { serviceDeploymentArn: record }
    })
    const outcome = await settle(back())
    expect(outcome.text).toMatch(
      /^completed: stopped 1\.1\.0; prod\/web runs 1\.0\.0 again, after (1\d|20) s$/,
    )
    expect(ecs.commandCalls(StopServiceDeploymentCommand)[0]?.args[0].input).toEqual({
      serviceDeploymentArn: record,
      stopType: "ROLLBACK",
    })
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
    expect(lines.join("\n")).toContain("service deployment: ROLLBACK_IN_PROGRESS")
  })

  it("follows the rollback that ECS has begun itself", async () => {
    const scene = world()
    const rolling = deployment("back", 1, {
      rolloutState: "IN_PROGRESS",
      rolloutStateReason: "rolling back to deploymentId",
    })
    scene.before = service([rolling, { ...busy, status: "ACTIVE", rolloutState: "FAILED" }])
    play(scene)
    setTimeout(() => {
      scene.before = service([deployment("back", 1, {})])
    }, 20_000)
    await expect(settle(back())).resolves.toMatchObject({ word: "completed", version: "1.0.0" })
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
    expect(lines[0]).toBe("ECS is already going back to 1.0.0; following it")
  })

  it("to a version other than the previous one replaces the deployment", async () => {
    const scene = world()
    scene.updated = [[0, service([deployment("third", 3, {})])]]
    play(scene)
    await expect(settle(back({ to: "1.2.0" }))).resolves.toMatchObject({ version: "1.2.0" })
    expect(ecs.commandCalls(StopServiceDeploymentCommand)).toHaveLength(0)
  })
})
