import { setTimeout as sleep } from "node:timers/promises"
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStacksCommand,
  type Stack,
  UpdateStackCommand,
} from "@aws-sdk/client-cloudformation"
import {
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Config } from "../config.js"
import { emulatorTemplate, unknownToEmulator } from "../lib/emulator.js"
import { keepRunning } from "../lib/keep.js"
import { changed } from "../lib/settings.js"
import { synthesize, type Template } from "../lib/synth.js"
import { startEmulator } from "./emulator.js"
import { complete } from "./variants.js"

let emulator: Awaited<ReturnType<typeof startEmulator>>
let cloudformation: CloudFormationClient
let ecs: ECSClient

beforeAll(async () => {
  emulator = await startEmulator()
  const credentials = { accessKeyId: "test", secretAccessKey: "test" }
  const options = { endpoint: emulator.endpoint, region: "eu-north-1", credentials }
  cloudformation = new CloudFormationClient(options)
  ecs = new ECSClient(options)
})
afterAll(() => emulator?.stop())

const body = (template: Template) => ({
  StackName: "hello",
  TemplateBody: JSON.stringify(template),
  Capabilities: ["CAPABILITY_NAMED_IAM" as const],
})

async function settled(): Promise<Stack> {
  for (;;) {
    const { Stacks } = await cloudformation.send(new DescribeStacksCommand({ StackName: "hello" }))
    const stack = Stacks?.[0]
    if (stack !== undefined && !stack.StackStatus?.endsWith("_IN_PROGRESS")) return stack
    await sleep(50)
  }
}

async function update(template: Template): Promise<string | undefined> {
  await cloudformation.send(new UpdateStackCommand(body(template)))
  return (await settled()).StackStatus
}

const templateOf = (config: Config) => emulatorTemplate(config).template
const short = (arn = "") => arn.split("/").at(-1)
const pointAt = (taskDefinition: string) =>
  ecs.send(new UpdateServiceCommand({ cluster: "hello", service: "hello", taskDefinition, desiredCount: 0 }))

async function running(): Promise<string | undefined> {
  const { services } = await ecs.send(new DescribeServicesCommand({ cluster: "hello", services: ["hello"] }))
  return short(services?.[0]?.taskDefinition)
}

async function definition(taskDefinition: string) {
  return (await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }))).taskDefinition
}

/** What a deployment does: the stack's settings, with its own image. The desired count is 0: there is no Docker. */
async function release(version: string): Promise<void> {
  const { cpu, memory, containerDefinitions, executionRoleArn, taskRoleArn } =
    (await definition("template-hello")) ?? {}
  const containers = containerDefinitions?.map(it => ({ ...it, image: `hello@sha256:${version}` }))
  const settings = { cpu, memory, executionRoleArn, taskRoleArn, networkMode: "awsvpc" as const }
  const { taskDefinition } = await ecs.send(
    new RegisterTaskDefinitionCommand({ family: "hello", ...settings, containerDefinitions: containers }),
  )
  await pointAt(taskDefinition?.taskDefinitionArn ?? "")
}

describe("the stack, deployed by CloudFormation to the emulator", () => {
  it("is refused only for the types that are left out for the emulator", async () => {
    const names = Object.keys(unknownToEmulator).join(", ")
    const create = cloudformation.send(new CreateStackCommand(body(synthesize(complete))))
    await expect(create).rejects.toThrow(`Unrecognized resource types: [${names}]`)
  })

  it("comes up, with the names that ecs-release.yaml has", async () => {
    await cloudformation.send(new CreateStackCommand(body(templateOf(complete))))
    const { StackStatus, Outputs = [] } = await settled()
    expect(StackStatus).toBe("CREATE_COMPLETE")
    expect(Object.fromEntries(Outputs.map(it => [it.OutputKey, it.OutputValue]))).toMatchObject({
      RepositoryName: "hello",
      ClusterName: "hello",
      ServiceName: "hello",
      ContainerName: "app",
      TemplateFamily: "template-hello",
      BuildProject: "hello",
      LogGroup: "/ecs/hello",
      Url: expect.stringMatching(/^http:\/\/hello-/),
    })
    expect(await running()).toBe("hello:1")
    expect((await definition("hello"))?.containerDefinitions?.[0]?.image).toBe(complete.placeholder.image)
  })

  it("takes new settings without moving what runs; the next release takes them over", async () => {
    await release("1")
    expect(await running()).toBe("hello:2")
    const bigger = changed(complete, [
      "container.memory=1024",
      "container.cpu=512",
      "deployment.strategy=BLUE_GREEN",
    ])
    expect(await update(templateOf(bigger))).toBe("UPDATE_COMPLETE")
    expect(await running()).toBe("hello:2")
    expect((await definition("hello"))?.memory).toBe("512")
    await release("2")
    expect(await definition("hello:3")).toMatchObject({ memory: "1024", cpu: "512" })
  })

  it("moves nothing when an update fails and is rolled back", async () => {
    const broken = templateOf(changed(complete, ["container.memory=2048"]))
    broken.Resources.Broken = { Type: "AWS::CloudWatch::Alarm", Properties: { AlarmName: "no metric" } }
    expect(await update(broken)).toBe("UPDATE_ROLLBACK_COMPLETE")
    expect(await running()).toBe("hello:3")
    expect((await definition("template-hello"))?.memory).toBe("1024")
  })

  it("moves nothing even after a rollback, because what runs is made the newest before an update", async () => {
    await pointAt("hello:2")
    expect(await keepRunning(ecs, "hello")).toMatchObject({
      ok: true,
      says: expect.stringContaining("hello:4"),
    })
    expect(await running()).toBe("hello:2")
    // What AWS does with every update of the stack's service, and the emulator only if the property changes.
    await pointAt("hello")
    expect(await running()).toBe("hello:4")
    expect((await definition("hello:4"))?.containerDefinitions).toEqual(
      (await definition("hello:2"))?.containerDefinitions,
    )
  })

  it("can be deleted", async () => {
    await cloudformation.send(new DeleteStackCommand({ StackName: "hello" }))
    await expect
      .poll(() =>
        settled().then(
          it => it.StackStatus,
          error => error.message,
        ),
      )
      .toMatch(/does not exist|DELETE_COMPLETE/)
  })
})
