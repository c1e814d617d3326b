import { ECS } from "@aws-sdk/client-ecs"
import { IAM } from "@aws-sdk/client-iam"
import { SecretsManager } from "@aws-sdk/client-secrets-manager"
import { SSM } from "@aws-sdk/client-ssm"
import { afterAll, beforeAll, expect, test } from "vitest"
import { ModuleWorld } from "./module.world.js"
import { checked } from "./output.schema.js"

const world = new ModuleWorld()

type Check = { name: string; result: string; text: string }
const verify = async (settings = {}): Promise<Record<string, string>> => {
  const output = await world.run(module => module.verify("json"), settings)
  const { checks } = checked(output) as { checks: Check[] }
  return Object.fromEntries(checks.map(({ name, result, text }) => [name, `${result}: ${text}`]))
}

beforeAll(async () => {
  await world.start()
  await world.push("main")
})
afterAll(() => world.remove())

test("the sample service has what a deployment needs", async () => {
  const checks = await verify()
  expect(Object.keys(checks)).toEqual([
    ...["credentials", "registry", "service", "containers", "platform"],
    expect.stringMatching(/^target group /),
    ...["execution role", "passing the execution role", "task role", "passing the task role"],
    ...["log group /ecs/hello", "subnets", "security groups", "vCPU quota", "rollback"],
  ])
  expect(Object.entries(checks).filter(([, text]) => !text.startsWith("ok: "))).toEqual([])
  expect(checks["vCPU quota"]).toBe("ok: 0.5 of 6 vCPU at most")
  expect(checks["passing the task role"]).toBe("ok: by hello-pipeline")
  expect(checks.credentials).toMatch(/^ok: account 111122223333, eu-north-1, as arn:aws:sts::/)
  expect(checks.rollback).toMatch(/^ok: by the circuit breaker/)
})

test("what is missing is wrong, with what and what to do, and a release stops before it claims", {
  timeout: 120_000,
}, async () => {
  const own = await world.root()
  const ecs = new ECS(own)
  const { services } = await ecs.describeServices({ cluster: "hello", services: ["hello"] })
  const [service] = services ?? []
  const { taskDefinition } = await ecs.describeTaskDefinition({ taskDefinition: service?.taskDefinition })
  const [container] = taskDefinition?.containerDefinitions ?? []
  const secret = await new SecretsManager(own).createSecret({ Name: "known", SecretString: "hidden-value" })
  await new SSM(own).putParameter({ Name: "/known", Value: "hidden-value", Type: "String" })
  const missing = "arn:aws:secretsmanager:eu-north-1:111122223333:secret:gone-AbCdEf:key::"
  const iam = new IAM(own)
  const role = { RoleName: "gone", AssumeRolePolicyDocument: "{}" }
  await iam.createRole(role)
  await ecs.registerTaskDefinition({
    ...{
      family: "broken",
      networkMode: "awsvpc",
      cpu: "256",
      memory: "512",
      requiresCompatibilities: ["FARGATE"],
    },
    executionRoleArn: "arn:aws:iam::111122223333:role/gone",
    taskRoleArn: "arn:aws:iam::111122223333:role/hello-pipeline",
    runtimePlatform: { cpuArchitecture: "ARM64", operatingSystemFamily: "LINUX" },
    containerDefinitions: [
      {
        ...container,
        portMappings: [{ containerPort: 9999 }],
        secrets: [
          { name: "KNOWN", valueFrom: `${secret.ARN}:key::` },
          { name: "GONE", valueFrom: missing },
          { name: "PARAMETER", valueFrom: "/known" },
          { name: "NO_PARAMETER", valueFrom: "arn:aws:ssm:eu-north-1:111122223333:parameter/gone" },
        ],
        logConfiguration: {
          logDriver: "awslogs",
          options: { "awslogs-group": "/gone", "awslogs-region": "eu-north-1", "awslogs-stream-prefix": "x" },
        },
      },
    ],
  })
  await iam.deleteRole(role)
  await ecs.createService({
    ...{
      cluster: "hello",
      serviceName: "broken",
      taskDefinition: "broken",
      desiredCount: 0,
      launchType: "FARGATE",
    },
    networkConfiguration: {
      awsvpcConfiguration: { subnets: ["subnet-00000000"], securityGroups: ["sg-00000000"] },
    },
    loadBalancers: service?.loadBalancers,
    deploymentConfiguration: {
      lifecycleHooks: [
        {
          hookTargetArn: "arn:aws:lambda:eu-north-1:111122223333:function:gone",
          lifecycleStages: ["PRE_SCALE_UP"],
        },
        { targetType: "PAUSE", lifecycleStages: ["POST_SCALE_UP"] },
      ],
    },
  })
  const settings = { service: "broken", template: "broken" }
  // The pipeline's role may not see another service.
  expect((await verify(settings)).service).toBe("cannot tell: ecs:DescribeServices is missing")
  expect((await verify({ service: "hello", cluster: "hello", template: "none" })).service).toMatch(
    /^wrong: There is no task definition none\./,
  )
  const checks = await world.runAsRoot(async module => {
    await expect(module.verify()).rejects.toThrow(/^A deployment would fail\.\n✔ credentials: /)
    await expect(module.release()).rejects.toThrow(/platform|would fail/)
    return JSON.parse(await module.verify("json")).checks as Check[]
  }, settings)
  const found = Object.fromEntries(checks.map(({ name, result, text }) => [name, `${result}: ${text}`]))
  const group = Object.keys(found).find(name => name.startsWith("target group")) ?? ""
  expect(found[group]).toMatch(
    /^wrong: The load balancer sends traffic to port \d+ of app, which broken does not have\./,
  )
  expect(found.platform).toMatch(
    /^wrong: The tasks of broken run on linux\/arm64, but the image is built for linux\/amd64/,
  )
  expect(found["execution role"]).toMatch(/^wrong: There is no role arn:aws:iam::111122223333:role\/gone/)
  expect(found["task role"]).toMatch(
    /^wrong: The role hello-pipeline does not trust ecs-tasks\.amazonaws\.com/,
  )
  expect(found["secret KNOWN"]).toMatch(/^ok: known-/)
  expect(found["secret GONE"]).toMatch(
    /^wrong: There is no secret arn:aws:secretsmanager:.*:secret:gone-AbCdEf\./,
  )
  expect(found["secret PARAMETER"]).toBe("ok: /known")
  expect(found["secret NO_PARAMETER"]).toMatch(/^wrong: There is no parameter \/gone in eu-north-1/)
  expect(found["log group /gone"]).toMatch(
    /^wrong: There is no log group \/gone .*aws logs create-log-group/s,
  )
  expect(found.subnets).toMatch(/^wrong: Not all of these subnets exist: subnet-00000000/)
  expect(found["hook at PRE_SCALE_UP"]).toMatch(/^wrong: There is no Lambda function .*:gone/)
  expect(found["hook at POST_SCALE_UP"]).toMatch(/^ok: waits for an approval, for 1440 min/)
  expect(found.rollback).toMatch(/^wrong: Nothing rolls a failed deployment back/)
  expect(JSON.stringify(found)).not.toContain("hidden-value")
  expect(await world.remoteTags()).toEqual({})
})
