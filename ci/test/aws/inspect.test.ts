import { EC2 } from "@aws-sdk/client-ec2"
import { ElasticLoadBalancingV2 } from "@aws-sdk/client-elastic-load-balancing-v2"
import { IAM } from "@aws-sdk/client-iam"
import { Lambda } from "@aws-sdk/client-lambda"
import { SecretsManager } from "@aws-sdk/client-secrets-manager"
import { ServiceQuotas } from "@aws-sdk/client-service-quotas"
import { SSM } from "@aws-sdk/client-ssm"
import { expect, it } from "vitest"
import * as inspect from "../../src/aws/inspect.js"
import { aws } from "../ecs/mock.js"

// That they compile is the test: the packages' own clients have to be what the shapes say.
const own = { region: "eu-north-1" }
const iam: inspect.Iam = new IAM(own)
const secretsManager: inspect.SecretsManager = new SecretsManager(own)
const ssm: inspect.Ssm = new SSM(own)
const ec2: inspect.Ec2 = new EC2(own)
const loadBalancing: inspect.LoadBalancing = new ElasticLoadBalancingV2(own)
const lambda: inspect.Lambda = new Lambda(own)
const quotas: inspect.Quotas = new ServiceQuotas(own)

it.each([
  [inspect.iam, iam],
  [inspect.secretsManager, secretsManager],
  [inspect.ssm, ssm],
  [inspect.ec2, ec2],
  [inspect.loadBalancing, loadBalancing],
  [inspect.lambda, lambda],
  [inspect.quotas, quotas],
])("%o is the package's own client", async (make, client) => {
  expect(await make(aws)).toBeInstanceOf(client.constructor)
})
