import { setTimeout as sleep } from "node:timers/promises"
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  type Stack,
} from "@aws-sdk/client-cloudformation"
import { ECRClient } from "@aws-sdk/client-ecr"
import type { DockerTarget } from "../machine/docker.js"
import type { Log } from "../machine/home.js"
import { ASSETS } from "./names.js"
import { publishPlaceholder } from "./placeholder.js"
import { asRoot, type Root } from "./session.js"
import { pipelineTemplate, toolkitTemplate, worldTemplate } from "./template.js"

/**
 * Makes the world of infra/, by CloudFormation and from its very template, with the service on a placeholder image, so that
 * the first release is an ordinary rolling deployment. What is there already stays as it is.
 */
export async function seed(docker: DockerTarget, root: Root, log: Log): Promise<void> {
  const client = new CloudFormationClient(asRoot(root))
  if (await describeStack(client, "pipeline")) return
  log("making the offline AWS account from infra/: registry, network, load balancer, service, roles")
  await createStack(client, "CDKToolkit", toolkitTemplate())
  const ecr = new ECRClient(asRoot(root))
  const [placeholder] = await Promise.all([
    publishPlaceholder(docker, ecr, ASSETS, `127.0.0.1:${root.port}`, log),
    import("../../infra/lib/synth.js"), // takes seconds to load: meanwhile
  ])
  await createStack(client, "hello", await worldTemplate(placeholder))
  const outputs = (await describeStack(client, "hello"))?.Outputs
  const policy = outputs?.find(({ OutputKey }) => OutputKey === "ReleasePolicy")?.OutputValue ?? ""
  await createStack(client, "pipeline", pipelineTemplate(policy))
}

async function createStack(client: CloudFormationClient, name: string, template: object): Promise<void> {
  if (await describeStack(client, name)) return
  await client.send(
    new CreateStackCommand({
      StackName: name,
      TemplateBody: JSON.stringify(template),
      Capabilities: ["CAPABILITY_NAMED_IAM"],
    }),
  )
  for (;;) {
    const status = (await describeStack(client, name))?.StackStatus
    if (status === "CREATE_COMPLETE") return
    if (status !== "CREATE_IN_PROGRESS") {
      const { StackEvents } = await client.send(new DescribeStackEventsCommand({ StackName: name }))
      const reasons = StackEvents?.map(event => event.ResourceStatusReason).filter(Boolean)
      throw new Error(`The offline stack ${name} could not be made (${status}): ${reasons?.join("; ")}`)
    }
    await sleep(50)
  }
}

async function describeStack(client: CloudFormationClient, name: string): Promise<Stack | undefined> {
  const described = await client.send(new DescribeStacksCommand({ StackName: name })).catch(() => undefined)
  return described?.Stacks?.[0]
}
