import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as logs from "@aws-sdk/client-cloudwatch-logs"
import * as ec2 from "@aws-sdk/client-ec2"
import * as ecr from "@aws-sdk/client-ecr"
import * as ecs from "@aws-sdk/client-ecs"
import * as elasticloadbalancing from "@aws-sdk/client-elastic-load-balancing-v2"
import * as events from "@aws-sdk/client-eventbridge"
import * as iam from "@aws-sdk/client-iam"
import * as kms from "@aws-sdk/client-kms"
import * as lambda from "@aws-sdk/client-lambda"
import * as secretsmanager from "@aws-sdk/client-secrets-manager"
import * as servicequotas from "@aws-sdk/client-service-quotas"
import * as sns from "@aws-sdk/client-sns"
import * as ssm from "@aws-sdk/client-ssm"
import * as sts from "@aws-sdk/client-sts"
import { App, Stack } from "aws-cdk-lib"
import { describe, expect, it } from "vitest"
import { namesOf } from "../lib/names.js"
import {
  approvalPermissions,
  buildPermissions,
  executionPermissions,
  notifyPermissions,
  releasePermissions,
  signingPermissions,
  verifyPermissions,
} from "../lib/permissions.js"
import { complete } from "./variants.js"

const source = join(import.meta.dirname, "../../ci/src")
const names = namesOf(new Stack(new App({ analyticsReporting: false }), "names"), complete)

/** The services that the module calls, by the name that IAM has for them. */
const services: Record<string, object> = {
  ...{ ecs, ecr, logs, sts, iam, secretsmanager, ssm, ec2, elasticloadbalancing, lambda, servicequotas },
  ...{ kms, sns, events },
}

/**
 * AWS answers the one to everyone (STS, "GetCallerIdentity": "No permissions are required"); the other is what a caller needs who
 * has a role assumed, not what the role needs.
 */
const free = ["sts:AssumeRole", "sts:GetCallerIdentity"]

/**
 * The IAM actions of the calls in a source file: `client.describeServices(…)`, or `new DescribeServicesCommand(…)`. A call that
 * several services have is that of the file's folder, else of ECS.
 */
function actionsIn(text: string, folder = ""): string[] {
  const called = [...text.matchAll(/\.(?:send\(\s*new )?(\w+?)(?:Command)?\(|new (\w+)Command\(/g)]
  return called.flatMap(([, method = "", command = method]) => {
    const call = command.charAt(0).toUpperCase() + command.slice(1)
    const having = Object.keys(services).filter(it => `${call}Command` in (services[it] ?? {}))
    const service = [folder, "ecs"].find(it => having.includes(it)) ?? having[0]
    return service === undefined ? [] : [`${service}:${call}`]
  })
}

/** Those that only some configurations have. */
const options = [
  ...signingPermissions(names, "KMS"),
  ...signingPermissions(names, "ECR"),
  ...notifyPermissions(names, "SNS"),
  ...notifyPermissions(names, "EVENTBRIDGE"),
]

function called(): string[] {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter(it => it.endsWith(".ts"))
  const actions = files.flatMap(file => actionsIn(readFileSync(join(source, file), "utf8"), dirname(file)))
  return [...new Set(actions)].sort()
}

describe("the calls in ci/src and the policies", () => {
  it("are the same, both ways", () => {
    const all = [
      ...releasePermissions(names),
      ...approvalPermissions(names),
      ...verifyPermissions(names),
      ...options,
    ]
    const allowed = all.filter(it => it.neededBy === "call")
    const granted = [...new Set(allowed.flatMap(it => it.actions))].sort()
    expect(granted).toEqual(called().filter(action => !free.includes(action)))
  })

  it("are what docs/release-policy.json grants, for infrastructure of your own (npx vitest run -u writes it)", async () => {
    const own = Stack.of(
      new Stack(new App({ analyticsReporting: false }), "own", {
        env: { account: "ACCOUNT", region: "REGION" },
      }),
    )
    const statements = releasePermissions(namesOf(own, { ...complete, name: "NAME" })).map(
      ({ sid: Sid, actions: Action, resources: Resource, conditions: Condition }) => ({
        ...{ Sid, Effect: "Allow", Action, Resource },
        ...(Condition && { Condition }),
      }),
    )
    const text = JSON.stringify(
      own.resolve({ Version: "2012-10-17", Statement: statements }),
      (_, value) =>
        value?.["Fn::Join"]
          ? value["Fn::Join"][1].map((part: unknown) => (typeof part === "string" ? part : "aws")).join("")
          : value,
      2,
    )
    await expect(`${text}\n`).toMatchFileSnapshot(join(import.meta.dirname, "../../docs/release-policy.json"))
  })

  it("are found in every form that the module writes them in", () => {
    const text = `
      await client.runTask({ cluster })
      const command = new DescribeTaskDefinitionCommand({})
      return (await logs(aws)).getLogEvents({})
      await client
        .tagResource({})`
    const actions = ["ecs:RunTask", "ecs:DescribeTaskDefinition", "logs:GetLogEvents", "ecs:TagResource"]
    expect(actionsIn(text)).toEqual(actions)
    expect(actionsIn("client.tagResource({})", "ecr")).toEqual(["ecr:TagResource"])
  })
})

describe("every statement", () => {
  const { buildLogStreams, reportGroups } = names.arns
  const statements = [
    ...releasePermissions(names),
    ...approvalPermissions(names),
    ...verifyPermissions(names),
    ...options,
    ...executionPermissions(names),
    ...buildPermissions(names, buildLogStreams, reportGroups),
  ]

  it("says why, and allows no wildcard action", () => {
    for (const { sid, because, actions } of statements) {
      expect(because, sid).toMatch(/^[A-Z].{20,}\.$/)
      expect(actions.join(), sid).not.toContain("*")
    }
  })

  it("names a resource if AWS accepts one", () => {
    // Service Authorization Reference: no resource type, or (ListTasks) none that a Fargate task is listed under.
    const resourceless = [
      "ecr:GetAuthorizationToken",
      "ecs:DeregisterTaskDefinition",
      "ecs:DescribeTaskDefinition",
      "ecs:ListTaskDefinitions",
      "ecs:ListTasks",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "elasticloadbalancing:DescribeTargetGroups",
      "servicequotas:GetServiceQuota",
      "ssm:DescribeParameters",
      "inspector2:ListCoverage",
      "inspector2:ListFindings",
    ]
    const open = statements.filter(it => it.resources.includes("*")).flatMap(it => it.actions)
    // What an application needs besides the stack is its own: its names are not known here.
    const unknown = [
      "lambda:GetFunctionConfiguration",
      "logs:DescribeLogGroups",
      "secretsmanager:DescribeSecret",
    ]
    expect([...new Set(open)].sort()).toEqual([...resourceless, ...unknown].sort())
  })
})
