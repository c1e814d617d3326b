import { CloudWatchLogs } from "@aws-sdk/client-cloudwatch-logs"
import { EC2 } from "@aws-sdk/client-ec2"
import { ECR } from "@aws-sdk/client-ecr"
import * as ecsPackage from "@aws-sdk/client-ecs"
import { ElasticLoadBalancingV2 } from "@aws-sdk/client-elastic-load-balancing-v2"
import { EventBridge } from "@aws-sdk/client-eventbridge"
import { IAM } from "@aws-sdk/client-iam"
import { KMS } from "@aws-sdk/client-kms"
import { Lambda } from "@aws-sdk/client-lambda"
import { SecretsManager } from "@aws-sdk/client-secrets-manager"
import { ServiceQuotas } from "@aws-sdk/client-service-quotas"
import { SNS } from "@aws-sdk/client-sns"
import { SSM } from "@aws-sdk/client-ssm"
import { STS } from "@aws-sdk/client-sts"
import { expect, it } from "vitest"
import * as clients from "../../src/aws/clients.js"
import type * as types from "../../src/aws/types.js"
import { aws } from "../ecs/mock.js"

// That they compile is the test: the packages' own clients have to be what the shapes say.
const own = { region: "eu-north-1" }
const ecs: types.ECS = new ecsPackage.ECS(own)
const commands: types.EcsCommands = ecsPackage
const ecr: types.ECR = new ECR(own)
const logs: types.CloudWatchLogs = new CloudWatchLogs(own)
const sts: types.STS = new STS(own)
const kms: types.KMS = new KMS(own)
const sns: types.SNS = new SNS(own)
const eventBridge: types.EventBridge = new EventBridge(own)
const iam: types.Iam = new IAM(own)
const secretsManager: types.SecretsManager = new SecretsManager(own)
const ssm: types.Ssm = new SSM(own)
const ec2: types.Ec2 = new EC2(own)
const loadBalancing: types.LoadBalancing = new ElasticLoadBalancingV2(own)
const lambda: types.Lambda = new Lambda(own)
const quotas: types.Quotas = new ServiceQuotas(own)

it.each([
  [clients.ecs, ecs],
  [clients.ecr, ecr],
  [clients.logs, logs],
  [clients.sts, sts],
  [clients.kms, kms],
  [clients.sns, sns],
  [clients.eventBridge, eventBridge],
  [clients.iam, iam],
  [clients.secretsManager, secretsManager],
  [clients.ssm, ssm],
  [clients.ec2, ec2],
  [clients.loadBalancing, loadBalancing],
  [clients.lambda, lambda],
  [clients.quotas, quotas],
])("%o is the package's own client", async (make, client) => {
  expect(await make(aws)).toBeInstanceOf(client.constructor)
})

it("ECS's calls one by one are the package's own", async () => {
  expect(await clients.ecsCommands()).toBe(commands)
})
