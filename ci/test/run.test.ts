import { GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs"
import {
  type ContainerDefinition,
  DeregisterTaskDefinitionCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type Service,
  StopTaskCommand,
  type Task,
} from "@aws-sdk/client-ecs"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { oneOff, runRequest } from "../src/ecs/one-off-task.js"
import { runTask } from "../src/run.js"
import {
  aws,
  definition,
  deployment,
  ecs,
  failure,
  image,
  logs,
  play,
  rejection,
  service,
  settle,
  where,
} from "./ecs/mock.js"

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
    launchType: "FARGATE",
    networkConfiguration: network,
    clientToken: expect.stringMatching(/^[0-9a-f-]{36}$/),
  })
  expect(lines.filter(line => line.startsWith("  | "))).toEqual(["  | one", "  | two", "  | three"])
})

describe("the task's definition", () => {
  it("has its own family, runs the command in place of the entry point, and is gone afterwards", async () => {
    world([ended(0)])
    await settle(runTask(aws, options))
    const [registered, ...others] = ecs.commandCalls(RegisterTaskDefinitionCommand)
    expect(others).toHaveLength(0)
    expect(registered?.args[0].input).toMatchObject({
      family: "web-task",
      cpu: "256",
      containerDefinitions: [
        { name: "app", image: image("b"), entryPoint: ["migrate"], command: ["--all"], essential: true },
      ],
    })
    const ran = ecs.commandCalls(RunTaskCommand)[0]?.args[0].input
    expect(ran?.overrides).toBeUndefined()
    expect(ecs.commandCalls(DeregisterTaskDefinitionCommand).map(call => call.args[0].input)).toEqual([
      { taskDefinition: ran?.taskDefinition },
    ])
  })

  it("differs from the service's even if the image is the running one", async () => {
    world([ended(0)])
    await settle(runTask(aws, { ...options, image: image("a"), version: "1.0.0" }))
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)[0]?.args[0].input.family).toBe("web-task")
  })

  it.each([
    ["that fails", [ended(3)], /^failed/],
    ["that takes too long", [{ lastStatus: "RUNNING" }], /^timed out/],
  ])("is gone after a task %s", async (_, states, message) => {
    world(states)
    await expect(settle(runTask(aws, options))).rejects.toThrow(message)
    expect(ecs.commandCalls(DeregisterTaskDefinitionCommand)).toHaveLength(1)
  })

  it("is gone if ECS does not start a task", async () => {
    world([])
    ecs.on(RunTaskCommand).rejects(failure("InvalidParameterException", "no"))
    await rejection(runTask(aws, options))
    expect(ecs.commandCalls(DeregisterTaskDefinitionCommand)).toHaveLength(1)
  })

  it("that cannot be deregistered is not a failure", async () => {
    world([ended(0)])
    ecs.on(DeregisterTaskDefinitionCommand).rejects(failure("AccessDeniedException", "not allowed"))
    await expect(settle(runTask(aws, options))).resolves.toMatchObject({ exitCode: 0 })
    expect(lines.at(-1)).toMatch(/^warning: could not deregister .*: not allowed$/)
  })

  const release = (...containerDefinitions: ContainerDefinition[]) => ({
    family: "web",
    tags: [],
    networkMode: "bridge" as const,
    containerDefinitions,
  })

  it("keeps the other containers, and drops settings that are only for servers", () => {
    const router = { name: "router", essential: false, firelensConfiguration: { type: "fluentbit" as const } }
    const proxy = { name: "proxy", dependsOn: [{ containerName: "app", condition: "HEALTHY" as const }] }
    const app: ContainerDefinition = {
      name: "app",
      image: "web",
      essential: false,
      entryPoint: ["/start.sh"],
      command: ["serve"],
      healthCheck: { command: ["CMD", "curl", "localhost"] },
      portMappings: [{ containerPort: 80, hostPort: 80 }],
      restartPolicy: { enabled: true },
      dependsOn: [{ containerName: "router", condition: "START" }],
    }
    expect(oneOff(release(router, proxy, app), "app", ["sh", "-c", "exit 1"]).containerDefinitions).toEqual([
      router,
      { name: "proxy", dependsOn: [] },
      {
        name: "app",
        image: "web",
        essential: true,
        entryPoint: ["sh"],
        command: ["-c", "exit 1"],
        dependsOn: [{ containerName: "router", condition: "START" }],
      },
    ])
  })

  it.each([
    ["bridge", [{ containerPort: 80, hostPort: 0 }]],
    ["host", []],
    ["awsvpc", [{ containerPort: 80, hostPort: 80 }]],
  ] as const)("has no fixed host port: %s", (networkMode, portMappings) => {
    const proxy = { name: "proxy", portMappings: [{ containerPort: 80, hostPort: 80 }] }
    const definition = { ...release(proxy, { name: "app" }), networkMode }
    expect(oneOff(definition, "app", ["true"]).containerDefinitions?.[0]?.portMappings).toEqual(portMappings)
  })

  it("needs a command", () => {
    expect(() => oneOff(release({ name: "app" }), "app", [])).toThrow("There is no command to run.")
    expect(() => oneOff(release({ name: "app" }), "app", [""])).toThrow("There is no command to run.")
  })
})

it("fails if the command does", async () => {
  world([{ lastStatus: "RUNNING" }, ended(3)])
  expect((await rejection(runTask(aws, options))).message).toMatch(
    /^failed: the command exited 3: migrate --all \(task aaaaaaaa1\)\nEssential container in task exited\n→/,
  )
})

it("fails if the container never ran", async () => {
  const containers = [{ name: "app", reason: "CannotPullContainerError: not found" }]
  world([{ lastStatus: "STOPPED", stoppedReason: "Task failed to start", containers }])
  expect((await rejection(runTask(aws, options))).message).toMatch(
    /^failed: the command did not finish.*\nTask failed to start; CannotPullContainerError: not found/,
  )
})

it("fails if ECS does not start it", async () => {
  world([])
  ecs
    .on(RunTaskCommand)
    .resolves({ tasks: [], failures: [{ reason: "RESOURCE:MEMORY", detail: "no instance" }] })
  expect((await rejection(runTask(aws, options))).message).toMatch(
    /^failed: ECS did not start the task on prod\.\nRESOURCE:MEMORY: no instance/,
  )
})

it("asks again while there is no capacity, with another token", async () => {
  world([ended(0)])
  const none = { tasks: [], failures: [{ reason: "Capacity is unavailable at this time." }] }
  ecs
    .on(RunTaskCommand)
    .resolvesOnce(none)
    .rejectsOnce(failure("ConflictException", "the token was used before"))
    .resolves({ tasks: [{ taskArn }] })
  await settle(runTask(aws, { ...options, once: "ecs-release/migrate" }))
  const tokens = ecs.commandCalls(RunTaskCommand).map(call => call.args[0].input.clientToken)
  expect(new Set(tokens).size).toBe(3)
  // A token that was used before costs no wait.
  expect(lines.filter(line => line.includes("asking again"))).toHaveLength(1)
  expect(lines[0]).toMatch(
    /^ECS did not start the task \(Capacity is unavailable at this time\.\); asking again/,
  )
})

it("stops it if it takes too long", async () => {
  world([{ lastStatus: "RUNNING" }])
  expect((await rejection(runTask(aws, options))).message).toMatch(
    /^timed out after 120 s: the task aaaaaaaa1 was stopped/,
  )
  expect(ecs.commandCalls(StopTaskCommand)).toHaveLength(1)
})

it("says that a task keeps running if it cannot be stopped", async () => {
  world([{ lastStatus: "RUNNING" }])
  ecs.on(StopTaskCommand).rejects(failure("InternalError", "try again"))
  expect((await rejection(runTask(aws, options))).message).toMatch(
    /^timed out after 120 s: the task aaaaaaaa1 could not be stopped and keeps running\.\ntry again\n→ Stop it: aws ecs stop-task/,
  )
})

it("is not held up by an endless log", async () => {
  world([ended(0)])
  let page = 0
  logs.on(GetLogEventsCommand).callsFake(() => ({ events: [], nextForwardToken: String(page++) }))
  await expect(settle(runTask(aws, options))).resolves.toMatchObject({ exitCode: 0 })
})

describe("the request", () => {
  const request = (extra: Partial<Service>) => runRequest(where, service([], extra), "web-task:1")

  it("uses the service's capacity providers instead of a launch type", () => {
    const capacityProviderStrategy = [{ capacityProvider: "FARGATE_SPOT", weight: 1 }]
    const its = request({ capacityProviderStrategy, launchType: "FARGATE" })
    expect(its).toMatchObject({ capacityProviderStrategy })
    expect(its).not.toHaveProperty("launchType")
  })

  it("uses the service's placement, platform and tags", () => {
    const its = {
      placementConstraints: [{ type: "memberOf" as const, expression: "attribute:ecs.os-type == linux" }],
      placementStrategy: [{ type: "spread" as const, field: "host" }],
      platformVersion: "1.4.0",
      enableExecuteCommand: true,
      enableECSManagedTags: true,
      propagateTags: "TASK_DEFINITION" as const,
    }
    expect(request({ ...its, launchType: "EC2" })).toMatchObject({ ...its, launchType: "EC2" })
  })

  it("creates the same volumes that the service creates for its tasks", () => {
    const volume = { roleArn: "arn:aws:iam::123456789012:role/ebs", sizeInGiB: 20, volumeType: "gp3" }
    const tagSpecifications = [{ resourceType: "volume" as const, propagateTags: "SERVICE" as const }]
    const volumeConfigurations = [{ name: "data", managedEBSVolume: { ...volume, tagSpecifications } }]
    const now = service([deployment("now", 1, { volumeConfigurations })])
    expect(runRequest(where, now, "web-task:1").volumeConfigurations).toEqual([
      {
        name: "data",
        managedEBSVolume: {
          ...volume,
          tagSpecifications: [{ resourceType: "volume" }],
          terminationPolicy: { deleteOnTermination: true },
        },
      },
    ])
  })

  it("has the service's own tags if its tasks get them", async () => {
    world([ended(0)])
    const tags = [
      { key: "team", value: "web" },
      { key: "aws:cloudformation:stack-name", value: "web" },
    ]
    const now = service([deployment("now", 1, {})], { propagateTags: "SERVICE" })
    ecs
      .on(DescribeServicesCommand)
      .resolves({ services: [now] })
      .on(DescribeServicesCommand, { include: ["TAGS"] })
      .resolves({ services: [{ ...now, tags }] })
    await settle(runTask(aws, options))
    const sent = ecs.commandCalls(RunTaskCommand)[0]?.args[0].input
    expect(sent?.tags).toEqual([{ key: "team", value: "web" }])
    expect(sent).not.toHaveProperty("propagateTags")
  })
})
