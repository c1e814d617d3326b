import {
  ClusterNotFoundException,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  type TaskDefinition,
} from "@aws-sdk/client-ecs"
import { mockClient } from "aws-sdk-client-mock"
import { beforeEach, describe, expect, it } from "vitest"
import { keepRunning } from "../lib/keep.js"

const ecs = mockClient(ECSClient)
const client = new ECSClient({ region: "eu-north-1" })
beforeEach(() => ecs.reset())

const revision = (number: number): TaskDefinition => ({
  taskDefinitionArn: `arn:aws:ecs:eu-north-1:111122223333:task-definition/hello:${number}`,
  family: "hello",
  revision: number,
  status: "ACTIVE",
  registeredBy: "someone",
  cpu: "256",
  containerDefinitions: [{ name: "app", image: `repository@sha256:${number}` }],
})

function service(running: number, newest: number, rolloutState: "COMPLETED" | "IN_PROGRESS" = "COMPLETED") {
  const { taskDefinitionArn } = revision(running)
  ecs.on(DescribeServicesCommand).resolves({
    services: [{ status: "ACTIVE", taskDefinition: taskDefinitionArn, deployments: [{ rolloutState }] }],
  })
  const tags = [
    { key: "ecs-release:version", value: "1.2.3" },
    { key: "aws:cloudformation:stack-name", value: "hello" },
  ]
  ecs
    .on(DescribeTaskDefinitionCommand, { taskDefinition: "hello" })
    .resolves({ taskDefinition: revision(newest) })
  ecs
    .on(DescribeTaskDefinitionCommand, { taskDefinition: taskDefinitionArn })
    .resolves({ taskDefinition: revision(running), tags })
  ecs.on(RegisterTaskDefinitionCommand).resolves({ taskDefinition: revision(newest + 1) })
}

describe("before the stack is updated", () => {
  it("registers the running revision again, if a rollback left a newer one", async () => {
    service(7, 9)
    expect(await keepRunning(client, "hello")).toEqual({
      ok: true,
      says: "hello runs hello:7, while hello:9 is newer: registered hello:10, a copy of what runs.",
    })
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)[0]?.args[0].input).toEqual({
      family: "hello",
      cpu: "256",
      containerDefinitions: [{ name: "app", image: "repository@sha256:7" }],
      tags: [{ key: "ecs-release:version", value: "1.2.3" }],
    })
  })

  it("does nothing if the newest is running", async () => {
    service(9, 9)
    expect(await keepRunning(client, "hello")).toMatchObject({
      ok: true,
      says: expect.stringContaining("hello:9"),
    })
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toEqual([])
  })

  it("refuses during a deployment: what runs is not settled yet", async () => {
    service(8, 9, "IN_PROGRESS")
    expect(await keepRunning(client, "hello")).toMatchObject({ ok: false })
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toEqual([])
  })

  it("lets the first deployment through", async () => {
    ecs.on(DescribeServicesCommand).rejects(new ClusterNotFoundException({ message: "", $metadata: {} }))
    expect(await keepRunning(client, "hello")).toMatchObject({ ok: true })
  })

  it("passes AWS's refusals on", async () => {
    ecs.on(DescribeServicesCommand).rejects(new Error("The security token is expired"))
    await expect(keepRunning(client, "hello")).rejects.toThrow("expired")
  })
})
