import { GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs"
import {
  DescribeTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
} from "@aws-sdk/client-ecs"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { runRequest, runTask } from "../src/run.js"
import {
  aws,
  definition,
  deployment,
  ecs,
  image,
  logs,
  play,
  rejection,
  revision,
  service,
  settle,
  where,
} from "./ecs.js"

const network = { awsvpcConfiguration: { subnets: ["subnet-1"], securityGroups: ["sg-1"] } }
const taskArn = "arn:aws:ecs:eu-north-1:123456789012:task/prod/aaaaaaaa1"

let lines: string[]
const options = {
  ...where,
  image: image("b"),
  version: "1.1.0",
  command: ["migrate", "--all"],
  timeoutSeconds: 120,
  print: (line: string) => {
    lines.push(line)
  },
}

/** A world in which the task goes through these states, 5 s each. */
function world(states: Task[]): void {
  play({
    before: service([deployment("now", 1, {})], { launchType: "FARGATE", networkConfiguration: network }),
    definitions: [{ definition: definition(1, "a", "1.0.0") }],
  })
  const start = Date.now()
  ecs.on(RunTaskCommand).resolves({ tasks: [{ taskArn, lastStatus: "PROVISIONING" }] })
  ecs.on(DescribeTasksCommand).callsFake(() => {
    const now = Math.min(states.length - 1, Math.floor((Date.now() - start) / 5000))
    return { tasks: [{ taskArn, ...states[now] }] }
  })
  const written = ["one", "two", "three"]
  logs.on(GetLogEventsCommand).callsFake(({ nextToken, logStreamName }) => {
    expect(logStreamName).toBe("app/app/aaaaaaaa1")
    const from = Number(nextToken ?? 0)
    const until = Math.min(written.length, Math.floor((Date.now() - start) / 4000))
    return {
      events: written.slice(from, until).map(message => ({ message })),
      nextForwardToken: String(until),
    }
  })
}

const ended = (exitCode: number): Task => ({
  lastStatus: "STOPPED",
  stoppedReason: "Essential container in task exited",
  containers: [{ name: "app", exitCode }],
})

beforeEach(() => {
  lines = []
})
afterEach(() => {
  vi.useRealTimers()
})

it("runs the new image with the service's network, prints its log once, and gives its exit code", async () => {
  world([{ lastStatus: "PENDING" }, { lastStatus: "RUNNING" }, ended(0)])
  const outcome = await settle(runTask(aws, options))
  expect(outcome).toEqual({
    exitCode: 0,
    task: "aaaaaaaa1",
    text: "completed: migrate --all (task aaaaaaaa1)",
  })
  expect(ecs.commandCalls(RunTaskCommand)[0]?.args[0].input).toMatchObject({
    taskDefinition: revision(2),
    launchType: "FARGATE",
    networkConfiguration: network,
    overrides: { containerOverrides: [{ name: "app", command: ["migrate", "--all"] }] },
    clientToken: expect.stringMatching(/^[0-9a-f-]{36}$/),
  })
  expect(lines.filter(line => line.startsWith("  | "))).toEqual(["  | one", "  | two", "  | three"])
})

it("uses the service's revision where the image is the running one", async () => {
  world([ended(0)])
  await settle(runTask(aws, { ...options, image: image("a"), version: "1.0.0" }))
  expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
  expect(ecs.commandCalls(RunTaskCommand)[0]?.args[0].input.taskDefinition).toBe(revision(1))
})

it("fails where the command does", async () => {
  world([{ lastStatus: "RUNNING" }, ended(3)])
  expect((await rejection(runTask(aws, options))).message).toMatch(
    /^failed: the command exited 3: migrate --all \(task aaaaaaaa1\)\nEssential container in task exited\n→/,
  )
})

it("fails where the container never ran", async () => {
  const containers = [{ name: "app", reason: "CannotPullContainerError: not found" }]
  world([{ lastStatus: "STOPPED", stoppedReason: "Task failed to start", containers }])
  expect((await rejection(runTask(aws, options))).message).toMatch(
    /^failed: the command did not run to its end.*\nTask failed to start; CannotPullContainerError: not found/,
  )
})

it("fails where ECS does not start it", async () => {
  world([])
  ecs
    .on(RunTaskCommand)
    .resolves({ tasks: [], failures: [{ reason: "RESOURCE:MEMORY", detail: "no instance" }] })
  expect((await rejection(runTask(aws, options))).message).toMatch(
    /^failed: ECS did not start the task on prod\.\nRESOURCE:MEMORY: no instance/,
  )
})

it("stops it where it takes too long", async () => {
  world([{ lastStatus: "RUNNING" }])
  expect((await rejection(runTask(aws, options))).message).toMatch(
    /^timed out after 120 s: the task aaaaaaaa1 was stopped/,
  )
  expect(ecs.commandCalls(StopTaskCommand)).toHaveLength(1)
})

it("uses the service's capacity providers in place of a launch type", () => {
  const capacityProviderStrategy = [{ capacityProvider: "FARGATE_SPOT", weight: 1 }]
  const request = runRequest(where, { capacityProviderStrategy, launchType: "FARGATE" }, "web:1", "app", [
    "x",
  ])
  expect(request).toMatchObject({ capacityProviderStrategy })
  expect(request).not.toHaveProperty("launchType")
})
