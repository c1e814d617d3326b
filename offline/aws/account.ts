import { createHash } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CloudFormation, waitUntilStackCreateComplete } from "@aws-sdk/client-cloudformation"
import { ECR } from "@aws-sdk/client-ecr"
import { STS } from "@aws-sdk/client-sts"
import { type DockerTarget, dockerEnv } from "../machine/docker.js"
import { checkoutCache, type Log } from "../machine/home.js"
import { resolveImage } from "../machine/images.js"
import { cached } from "../machine/kept.js"
import { run } from "../machine/process.js"
import { WORLD } from "./names.js"

// On Node.js 20 the AWS SDK would say each time that it will want 22 one day.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true"

/** How long the pipeline's credentials are valid: the maximum for a role's session. */
const SESSION_SECONDS = 12 * 3600

/** The repository in which a bootstrapped CDK account keeps image assets. */
const ASSETS = `cdk-hnb659fds-container-assets-${WORLD.accountId}-${WORLD.region}`

/** The account's root user at a running emulator, which sets up the account. */
export interface Root {
  port: number
  rootKey: string
}

/** Temporary credentials of the pipeline's role, like those of a CodeBuild build. `until` is in milliseconds. */
export interface Session {
  id: string
  secret: string
  token: string
  until: number
}

/**
 * Creates the stack of infra/ from its own template, with CloudFormation, and with the service on a placeholder image, so that
 * the first release is an ordinary rolling deployment. Anything that already exists stays as it is.
 */
export async function makeAccount(docker: DockerTarget, root: Root, log: Log): Promise<void> {
  const client = new CloudFormation(asRoot(root))
  if (await describeStack(client, "pipeline")) return
  log("creating the offline AWS account from infra/: registry, network, load balancer, service, roles")
  await createStack(client, "CDKToolkit", toolkitTemplate())
  const [placeholder, template] = await Promise.all([publishPlaceholder(docker, root, log), worldTemplate()])
  await createStack(client, "hello", withPlaceholder(template, placeholder))
  const outputs = (await describeStack(client, "hello"))?.Outputs
  const output = (key: string) => outputs?.find(({ OutputKey }) => OutputKey === key)?.OutputValue ?? ""
  await createStack(
    client,
    "pipeline",
    pipelineTemplate(["Release", "Approval", "Verify"].map(it => output(`${it}Policy`))),
  )
}

/** Opens a session as the pipeline's role, for as long as one can last. */
export async function openSession(root: Root): Promise<Session> {
  const { Credentials: given } = await new STS(asRoot(root)).assumeRole({
    RoleArn: `arn:aws:iam::${WORLD.accountId}:role/${WORLD.pipelineRole}`,
    RoleSessionName: "offline",
    DurationSeconds: SESSION_SECONDS,
  })
  return {
    id: given?.AccessKeyId ?? "",
    secret: given?.SecretAccessKey ?? "",
    token: given?.SessionToken ?? "",
    until: Date.now() + SESSION_SECONDS * 1000,
  }
}

/** What an AWS client needs to act as the account's root. The emulator takes that key without checking signatures. */
function asRoot({ port, rootKey }: Root) {
  const credentials = { accessKeyId: rootKey, secretAccessKey: "unused" }
  return { region: WORLD.region, endpoint: `http://127.0.0.1:${port}`, credentials }
}

async function createStack(client: CloudFormation, name: string, template: object): Promise<void> {
  if (await describeStack(client, name)) return
  await client.createStack({
    StackName: name,
    TemplateBody: JSON.stringify(template),
    Capabilities: ["CAPABILITY_NAMED_IAM"],
  })
  const often = { client, minDelay: 0.05, maxDelay: 0.2, maxWaitTime: 600 }
  await waitUntilStackCreateComplete(often, { StackName: name }).catch(async () => {
    const { StackEvents } = await client.describeStackEvents({ StackName: name })
    const reasons = StackEvents?.map(event => event.ResourceStatusReason).filter(Boolean)
    throw new Error(`The offline stack ${name} could not be created: ${reasons?.join("; ")}`)
  })
}

async function describeStack(client: CloudFormation, name: string) {
  const described = await client.describeStacks({ StackName: name }).catch(() => undefined)
  return described?.Stacks?.[0]
}

/** CloudFormation template of what `cdk bootstrap` leaves in an account and is needed here: a place for image assets. */
function toolkitTemplate(): object {
  return { Resources: { Assets: { Type: "AWS::ECR::Repository", Properties: { RepositoryName: ASSETS } } } }
}

/** Stands for the placeholder image in the template that is kept. */
const PLACEHOLDER = "placeholder.invalid/image:0"

/** What differs from infra/config.ts. */
const SETTINGS = [`region=${WORLD.region}`, `placeholder.image=${PLACEHOLDER}`, "placeholder.command=[]"]

/**
 * The stack of infra/, unchanged except for the placeholder image, which is not pulled from an outside registry here, and for what
 * the emulator does not support. The CDK takes seconds, so the template is kept under a hash of what it is made from.
 */
function worldTemplate(): Promise<object> {
  const root = join(import.meta.dirname, "../..")
  const sources = readdirSync(join(root, "infra/lib")).map(name => `infra/lib/${name}`)
  const hash = createHash("sha256").update(JSON.stringify(SETTINGS))
  for (const file of ["infra/config.ts", "package-lock.json", ...sources])
    hash.update(readFileSync(join(root, file)))
  return cached(join(checkoutCache(root), "infra"), hash.digest("hex"), async () => {
    const [{ config }, { emulatorTemplate }, { changed }] = await Promise.all([
      import("../../infra/config.js"),
      import("../../infra/lib/emulator.js"),
      import("../../infra/lib/settings.js"),
    ])
    return emulatorTemplate(changed(config, SETTINGS)).template
  })
}

/** @param placeholder the image that the service runs until the first release */
function withPlaceholder(template: object, placeholder: string): object {
  return JSON.parse(JSON.stringify(template).replaceAll(PLACEHOLDER, placeholder))
}

/**
 * CloudFormation template of the role that the pipeline uses here. It has the stack's policies and
 * nothing else, so that a permission that is missing there is missing here too.
 *
 * @param policies their ARNs, outputs of the stack
 */
function pipelineTemplate(policies: string[]): object {
  const trusted = { AWS: `arn:aws:iam::${WORLD.accountId}:root` }
  return {
    Resources: {
      Pipeline: {
        Type: "AWS::IAM::Role",
        Properties: {
          RoleName: WORLD.pipelineRole,
          MaxSessionDuration: SESSION_SECONDS,
          ManagedPolicyArns: policies,
          AssumeRolePolicyDocument: {
            Version: "2012-10-17",
            Statement: [{ Effect: "Allow", Principal: trusted, Action: "sts:AssumeRole" }],
          },
        },
      },
    },
  }
}

/**
 * Builds the image that the service runs before its first release, on the app's own base image (one image fewer to pull), and
 * pushes it as `cdk deploy` publishes an image asset. Does nothing when the registry has it. Returns its reference there.
 */
async function publishPlaceholder(docker: DockerTarget, root: Root, log: Log): Promise<string> {
  const ecr = new ECR(asRoot(root))
  const registry = `127.0.0.1:${root.port}`
  const tag = "placeholder"
  const image = `${registry}/${ASSETS}:${tag}`
  const there = await ecr
    .describeImages({ repositoryName: ASSETS, imageIds: [{ imageTag: tag }] })
    .catch(() => undefined)
  if (there) return image
  const dockerfile = readFileSync(join(import.meta.dirname, "../../Dockerfile"), "utf8")
  const base = await resolveImage(docker, /^ARG PYTHON_IMAGE=(\S+)/m.exec(dockerfile)?.[1] ?? "", log)
  const { authorizationData } = await ecr.getAuthorizationToken()
  const [user = "", password = ""] = Buffer.from(authorizationData?.[0]?.authorizationToken ?? "", "base64")
    .toString()
    .split(":")
  // Its own configuration: a temporary emulator's token doesn't belong in the user's.
  const config = mkdtempSync(join(tmpdir(), "docker-config-"))
  const env = { ...dockerEnv(docker), DOCKER_CONFIG: config }
  const step = async (args: string[], input?: string) => {
    const done = await run(docker.cli, args, { env, input })
    if (done.code !== 0)
      throw new Error(`docker ${args[0]} of the placeholder image failed:\n${done.stderr.trim()}`)
  }
  try {
    const context = join(import.meta.dirname, "placeholder")
    await step(["build", "--quiet", "--build-arg", `BASE=${base}`, "--tag", image, context])
    await step(["login", "--username", user, "--password-stdin", registry], password)
    await step(["push", "--quiet", image])
    await step(["image", "rm", image])
  } finally {
    rmSync(config, { recursive: true })
  }
  return image
}
