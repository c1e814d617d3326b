import { CloudWatchLogsClient, GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs"
import { DescribeImagesCommand, DescribeRepositoriesCommand, ECRClient } from "@aws-sdk/client-ecr"
import {
  type Deployment,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTaskDefinitionsCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  type Service,
  type Tag,
  TagResourceCommand,
  type Task,
  type TaskDefinition,
  UntagResourceCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { mockClient } from "aws-sdk-client-mock"
import { vi } from "vitest"
import type { Aws } from "../../src/aws/clients.js"

export const aws: Aws = {
  region: "eu-north-1",
  credentials: { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "example" },
}
export const where = { cluster: "prod", service: "web" }
export const uri = "123456789012.dkr.ecr.eu-north-1.amazonaws.com/web"

/** An image by digest; one letter makes a digest. */
export const image = (letter: string) => `${uri}@sha256:${letter.repeat(64)}`
export const revision = (number: number) =>
  `arn:aws:ecs:eu-north-1:123456789012:task-definition/web:${number}`
export const at = (seconds: number) => new Date(Date.UTC(2025, 0, 1) + seconds * 1000)

export const ecs = mockClient(ECSClient)
export const ecr = mockClient(ECRClient)
export const logs = mockClient(CloudWatchLogsClient)

/** A registered revision that runs an image as a version. */
export function definition(
  number: number,
  letter: string,
  version: string,
  extra: TaskDefinition = {},
): TaskDefinition {
  return {
    taskDefinitionArn: revision(number),
    family: "web",
    revision: number,
    status: "ACTIVE",
    registeredAt: at(0),
    requiresAttributes: [{ name: "com.amazonaws.ecs.capability.ecr-auth" }],
    compatibilities: ["FARGATE"],
    cpu: "256",
    memory: "512",
    containerDefinitions: [
      {
        name: "app",
        image: image(letter),
        environment: [
          { name: "PORT", value: "8080" },
          { name: "APP_VERSION", value: version },
        ],
        logConfiguration: {
          logDriver: "awslogs",
          options: {
            "awslogs-group": "/web",
            "awslogs-stream-prefix": "app",
            "awslogs-region": "eu-north-1",
          },
        },
      },
    ],
    ...extra,
  }
}

export function deployment(id: string, number: number, state: Partial<Deployment>): Deployment {
  return {
    id: `ecs-svc/${id}`,
    status: "PRIMARY",
    taskDefinition: revision(number),
    desiredCount: 2,
    runningCount: 2,
    pendingCount: 0,
    failedTasks: 0,
    rolloutState: "COMPLETED",
    createdAt: at(0),
    ...state,
  }
}

export function service(deployments: Deployment[], extra: Partial<Service> = {}): Service {
  const primary = deployments.find(({ status }) => status === "PRIMARY")
  return {
    serviceName: "web",
    status: "ACTIVE",
    taskDefinition: primary?.taskDefinition,
    desiredCount: 2,
    runningCount: 2,
    pendingCount: 0,
    deployments,
    events: [],
    deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } },
    ...extra,
  }
}

export function stoppedTask(id: string, number: number, state: Partial<Task> = {}): Task {
  return {
    taskArn: `arn:aws:ecs:eu-north-1:123456789012:task/prod/${id}`,
    taskDefinitionArn: revision(number),
    lastStatus: "STOPPED",
    createdAt: at(3),
    stoppedAt: at(5),
    stopCode: "EssentialContainerExited",
    stoppedReason: "Essential container in task exited",
    containers: [{ name: "app", exitCode: 1 }],
    ...state,
  }
}

/** What AWS holds in a test. */
export type World = {
  /** The service as it is from so many seconds on. After an update the `updated` script runs, from that moment. */
  before: Service
  updated?: [number, Service][]
  /** The service as UpdateService answers; the first of `updated` if left out. */
  answer?: Service
  definitions: { definition: TaskDefinition; tags?: Tag[] }[]
  stopped?: Task[]
  logLines?: string[]
  /** Images in ECR by tag. */
  images?: { [tag: string]: string }
}

/** Puts the clock at 2025-01-01 and has the mocks answer from a world; new revisions are added to it. */
export function play(world: World): void {
  for (const mock of [ecs, ecr, logs]) mock.reset()
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: at(0) })
  let updatedAt: number | undefined
  const now = () => {
    if (updatedAt === undefined) return world.before
    const seconds = (Date.now() - updatedAt) / 1000
    return (world.updated ?? []).filter(([from]) => from <= seconds).at(-1)?.[1] ?? world.before
  }
  ecs.onAnyCommand().resolves({})
  ecs.on(DescribeServicesCommand).callsFake(() => ({ services: [now()] }))
  ecs.on(UpdateServiceCommand).callsFake(() => {
    updatedAt = Date.now()
    return { service: world.answer ?? world.updated?.[0]?.[1] }
  })
  ecs.on(DescribeTaskDefinitionCommand).callsFake(({ taskDefinition: wanted }) => {
    const found = [...world.definitions]
      .reverse()
      .find(it => it.definition.taskDefinitionArn === wanted || it.definition.family === wanted)
    return { taskDefinition: found?.definition, tags: found?.tags ?? [] }
  })
  ecs.on(RegisterTaskDefinitionCommand).callsFake(({ tags, ...input }) => {
    const number = Math.max(...world.definitions.map(it => it.definition.revision ?? 0)) + 1
    const registered = { ...input, revision: number, taskDefinitionArn: revision(number), status: "ACTIVE" }
    world.definitions.push({ definition: registered, tags })
    return { taskDefinition: registered }
  })
  ecs.on(ListTaskDefinitionsCommand).callsFake(() => ({
    taskDefinitionArns: world.definitions.map(it => it.definition.taskDefinitionArn),
  }))
  ecs.on(TagResourceCommand).callsFake(({ resourceArn, tags }) => {
    const found = world.definitions.find(it => it.definition.taskDefinitionArn === resourceArn)
    if (found) found.tags = [...(found.tags ?? []), ...tags]
    return {}
  })
  ecs.on(UntagResourceCommand).resolves({})
  ecs.on(ListTasksCommand).callsFake(() => ({ taskArns: (world.stopped ?? []).map(it => it.taskArn) }))
  ecs.on(DescribeTasksCommand).callsFake(() => ({ tasks: world.stopped }))
  ecr.on(DescribeImagesCommand).callsFake(({ imageIds }) => {
    const [{ imageTag, imageDigest }] = imageIds
    if (imageDigest) return { imageDetails: [{ imageDigest }] }
    const digest = world.images?.[imageTag]
    if (digest === undefined) throw failure("ImageNotFoundException", `no image with the tag ${imageTag}`)
    return { imageDetails: [{ imageDigest: digest, imageTags: [imageTag, "c".repeat(40)] }] }
  })
  ecr.on(DescribeRepositoriesCommand).resolves({ repositories: [{ repositoryUri: uri }] })
  logs.on(GetLogEventsCommand).resolves({ events: (world.logLines ?? []).map(message => ({ message })) })
}

/** An error as the SDK raises it. */
export function failure(name: string, message: string, extra: object = {}): Error {
  return Object.assign(new Error(message), { name, $fault: "client", $metadata: {}, ...extra })
}

/** Lets the clock run until a promise settles; at most `limit` seconds. */
export async function settle<T>(promise: Promise<T>, limit = 3600): Promise<T> {
  let open = true
  promise.then(
    () => {
      open = false
    },
    () => {
      open = false
    },
  )
  for (let second = 0; open && second < limit * 4; second++) await vi.advanceTimersByTimeAsync(250)
  if (open) throw new Error(`still waiting after ${limit} s`)
  return promise
}

/** The error that a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const result = await settle(
    promise.then(
      value => new Error(`not rejected: ${JSON.stringify(value)}`, { cause: "fulfilled" }),
      (error: Error) => error,
    ),
  )
  return result
}
