import { DescribeServiceRevisionsCommand, ListServiceDeploymentsCommand } from "@aws-sdk/client-ecs"
import { afterEach, expect, it, vi } from "vitest"
import { status } from "../src/status.js"
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

const commit = "b".repeat(40)
const world = (before = service([deployment("now", 2, { createdAt: at(60) })])): World => ({
  before,
  definitions: [
    {
      definition: definition(1, "a", "1.0.0"),
      tags: [{ key: "ecs-release:completed", value: at(0).toISOString() }],
    },
    { definition: definition(2, "b", "1.1.0"), tags: [{ key: "ecs-release:commit", value: commit }] },
  ],
})

afterEach(() => {
  vi.useRealTimers()
})

it("shows what is running, which commit it is, and what happened recently", async () => {
  play(world())
  const found = await settle(status(aws, where))
  expect(found).toMatchObject({
    state: "ACTIVE",
    version: "1.1.0",
    commit,
    digest: `sha256:${"b".repeat(64)}`,
    revision: revision(2),
    since: at(60),
    desired: 2,
    running: 2,
  })
  expect(found.deployments).toMatchObject([
    { version: "1.1.0", outcome: "completed" },
    { version: "1.0.0", outcome: "completed" },
  ])
  expect(found.text).toContain("since            2025-01-01 00:01:00Z")
  expect(found.text).toMatch(/tasks +2 running of 2 desired/)
  expect(found.text).toMatch(/1\.1\.0 +bbbbbbb +completed/)
})

it("distinguishes a failed deployment that was rolled back from one in progress", async () => {
  const deployments = [
    deployment("now", 1, { rolloutState: "IN_PROGRESS", rolloutStateReason: "rolling back" }),
    deployment("bad", 2, {
      status: "ACTIVE",
      rolloutState: "FAILED",
      rolloutStateReason: "tasks failed to start",
    }),
  ]
  play(world(service(deployments)))
  const found = await settle(status(aws, where))
  expect(found.version).toBe("1.0.0")
  expect(found.deployments.slice(0, 2)).toMatchObject([
    { version: "1.0.0", outcome: "in progress" },
    { version: "1.1.0", outcome: "rolled back", reason: "tasks failed to start" },
  ])
  expect(found.text).toContain("deployment ecs-svc/now is not done: rolling back")
})

it("uses ECS's record if there is one", async () => {
  play(world())
  ecs.on(ListServiceDeploymentsCommand).resolves({
    serviceDeployments: [
      {
        status: "ROLLBACK_SUCCESSFUL",
        targetServiceRevisionArn: "r1",
        createdAt: at(10),
        statusReason: "alarm",
      },
      { status: "SUCCESSFUL", targetServiceRevisionArn: "r2", createdAt: at(60), finishedAt: at(90) },
    ],
  })
  ecs.on(DescribeServiceRevisionsCommand).resolves({
    serviceRevisions: [
      { serviceRevisionArn: "r1", taskDefinition: revision(1) },
      { serviceRevisionArn: "r2", taskDefinition: revision(2) },
    ],
  })
  const found = await settle(status(aws, where))
  expect(found.deployments).toEqual([
    { version: "1.1.0", commit, outcome: "completed", started: at(60), ended: at(90), reason: undefined },
    {
      version: "1.0.0",
      commit: undefined,
      outcome: "rolled back",
      started: at(10),
      ended: undefined,
      reason: "alarm",
    },
  ])
})

it("shows a service that nothing was released to", async () => {
  const scene = world(service([deployment("now", 1, {})], { runningCount: 0 }))
  scene.definitions = [
    { definition: definition(1, "a", "x", { containerDefinitions: [{ name: "app", image: "nginx" }] }) },
  ]
  play(scene)
  const { text, version } = await settle(status(aws, where))
  expect(version).toBeUndefined()
  expect(text).toMatch(/version +unknown/)
  expect(text).toMatch(/digest +not pinned/)
})
