import type { Service, TaskDefinition } from "@aws-sdk/client-ecs"
import { identityOf, openAws } from "./aws/account.js"
import { type Aws, logs } from "./aws/clients.js"
import { explain, explained, missingRight } from "./aws/errors.js"
import { ec2, iam, lambda, loadBalancing, quotas, secretsManager, ssm } from "./aws/inspect.js"
import { Registry } from "./ecr/registry.js"
import { pauseStages } from "./ecs/pause.js"
import { describeRevision } from "./ecs/revision.js"
import {
  assertDeployable,
  describeService,
  errorContext,
  open,
  revisionOf,
  rollsBack,
} from "./ecs/service.js"
import { assertPlatform, chooseContainers } from "./ecs/task-definition.js"
import { UserError } from "./lib/errors.js"
import { namesIn } from "./lib/list.js"
import { required, type Settings, targetsOf, type Where } from "./settings.js"

/** What came of looking at one thing. */
export type Check = {
  /** What was looked at. */
  name: string
  /** `cannot tell` if a right is missing, or AWS does not answer. */
  result: "ok" | "wrong" | "cannot tell"
  /** What was found; or what is wrong, why, and what to do. */
  text: string
  /** Whether a deployment would fail on it. */
  blocks: boolean
}

/** A thing to look at. `work` returns what was found, and throws what is wrong. */
type Look = { name: string; blocks?: boolean; work: () => Promise<string> }

/** What the checks of one service look at. */
type Scene = {
  aws: Aws
  where: Where
  settings: Settings
  service: Service
  definition: TaskDefinition
}

/**
 * Looks at everything that a deployment needs and that can be seen before it: nothing is changed, and no secret's value is read.
 *
 * @returns one check per thing, in order
 * @throws UserError if AWS cannot be asked at all
 */
export async function verify(settings: Settings): Promise<Check[]> {
  const aws = await openAws(settings)
  const { account, arn } = await identityOf(aws)
  const identity: Check = {
    name: "credentials",
    result: "ok",
    text: `account ${account}, ${settings.region}, as ${arn}`,
    blocks: true,
  }
  const registry = await run(aws, {
    name: "registry",
    blocks: true,
    work: () => checkRegistry(aws, settings),
  })
  const targets = targetsOf(settings)
  const services = await Promise.all(targets.map(where => verifyService(aws, settings, where, arn)))
  return [identity, registry, ...services.flat()]
}

/** The checks as text: a line each, what is wrong with its reason below it, and a count at the end. */
export function writeChecks(checks: Check[]): string {
  const marks = { ok: "✔", wrong: "✘", "cannot tell": "?" }
  const lines = checks.map(
    ({ name, result, text }) =>
      `${marks[result]} ${name}: ${result === "ok" ? "" : `${result}: `}${text.replaceAll("\n", "\n    ")}`,
  )
  return `${[...lines, "", countOf(checks)].join("\n")}\n`
}

/** `12 ok, 1 wrong, 2 cannot tell`. */
export function countOf(checks: Check[]): string {
  const count = (result: Check["result"]) => checks.filter(it => it.result === result).length
  const parts = (["ok", "wrong", "cannot tell"] as const).map(it => [count(it), it] as const)
  return parts
    .filter(([count]) => count > 0)
    .map(([count, result]) => `${count} ${result}`)
    .join(", ")
}

/**
 * Refuses to go on if a deployment would fail.
 *
 * @throws UserError with what is wrong
 */
export function refuseWrong(checks: Check[]): void {
  const wrong = checks.filter(({ result, blocks }) => result === "wrong" && blocks)
  if (wrong.length === 0) return
  throw new UserError(
    `The deployment would fail: ${wrong.map(({ name }) => name).join(", ")}.`,
    wrong.map(({ name, text }) => `${name}: ${text}`).join("\n"),
    "Nothing was claimed or pushed. 'verify' shows all checks.",
  )
}

async function run(aws: Aws, { name, blocks = false, work }: Look): Promise<Check> {
  try {
    return { name, result: "ok", text: await work(), blocks }
  } catch (error) {
    if (error instanceof UserError) return { name, result: "wrong", text: error.message, blocks }
    const right = missingRight(error)
    if (right !== undefined) return { name, result: "cannot tell", text: `${right} is missing`, blocks }
    const explained = explain(error, aws)
    if (!(explained instanceof UserError)) throw error
    return { name, result: "cannot tell", text: explained.message, blocks }
  }
}

function wrong(what: string, why: string, remedy: string): UserError {
  return new UserError(what, why, remedy)
}

async function verifyService(aws: Aws, settings: Settings, where: Where, caller: string): Promise<Check[]> {
  const prefix = where.someContainers ? `${where.service}: ` : ""
  const target = await open(aws, where)
  return explained(errorContext(target), async () => {
    const service = await describeService(target)
    const arn = revisionOf(service)
    const { definition } = await describeRevision(target, where.template ?? arn)
    const scene: Scene = { aws, where, settings, service, definition }
    const looks: Look[] = [
      { name: "service", blocks: true, work: async () => checkService(scene) },
      { name: "containers", blocks: true, work: async () => checkContainers(scene) },
      { name: "platform", blocks: true, work: async () => checkPlatform(scene) },
      ...balancerLooks(scene),
      ...roleLooks(scene, caller),
      ...secretLooks(scene),
      ...logLooks(scene),
      ...networkLooks(scene),
      ...quotaLooks(scene),
      { name: "rollback", work: async () => checkRollback(scene) },
      ...hookLooks(scene),
    ]
    return Promise.all(looks.map(look => run(aws, { ...look, name: `${prefix}${look.name}` })))
  })
}

async function checkRegistry(aws: Aws, { repository: name }: Settings): Promise<string> {
  const repository = required(name, "ECR repository", "--repository")
  return explained({ ...aws, repository }, async () => {
    const { uri, tagsCanMove } = await Registry.open(aws, repository)
    return tagsCanMove ? `${uri}; its tags can be moved to other images: make them immutable` : uri
  })
}

function checkService({ service, where }: Scene): string {
  assertDeployable(service, where)
  const { desiredCount = 0, launchType, deploymentConfiguration } = service
  const strategy = (deploymentConfiguration?.strategy ?? "ROLLING").toLowerCase().replace("_", "/")
  return [`${where.cluster}/${where.service}`, `${desiredCount} desired`, strategy, launchType?.toLowerCase()]
    .filter(Boolean)
    .join(", ")
}

function checkContainers({ definition, where }: Scene): string {
  const names = chooseContainers(definition, where).map(({ name }) => name)
  return `${names.join(", ")} of ${definition.family}`
}

function checkPlatform({ definition, settings }: Scene): string {
  assertPlatform(definition, settings.platform)
  return namesIn(settings.platform).join(" and ")
}

/** The port that a target group sends traffic to is one of the container's, and the group takes this kind of target. */
function balancerLooks({ aws, service, definition }: Scene): Look[] {
  return (service.loadBalancers ?? []).map(({ containerName, containerPort, targetGroupArn = "" }): Look => {
    const group = targetGroupArn.split("/")[1] ?? targetGroupArn
    return {
      name: `target group ${group}`,
      blocks: true,
      work: async () => {
        const container = definition.containerDefinitions?.find(({ name }) => name === containerName)
        const ports = (container?.portMappings ?? []).map(it => it.containerPort ?? it.containerPortRange)
        if (!ports.includes(containerPort)) {
          throw wrong(
            `The load balancer sends traffic to port ${containerPort} of ${containerName}, which ${definition.family} does not have.`,
            container
              ? `${containerName} has: ${ports.join(", ") || "no port"}.`
              : `There is no container ${containerName}.`,
            "Add the port mapping to the task definition, or correct the service's load balancer.",
          )
        }
        if (targetGroupArn === "") return `${containerName}:${containerPort}`
        const client = await loadBalancing(aws)
        const { TargetGroups } = await named(
          () => client.describeTargetGroups({ TargetGroupArns: [targetGroupArn] }),
          /^TargetGroupNotFound/,
          `There is no target group ${targetGroupArn}.`,
          "Create it, or correct the service's load balancer.",
        )
        const [found] = TargetGroups ?? []
        const wanted = definition.networkMode === "awsvpc" ? "ip" : "instance"
        if (found?.TargetType !== wanted) {
          throw wrong(
            `The target group ${group} has targets of type ${found?.TargetType}, and the tasks need ${wanted}.`,
            `The task definition's network mode is ${definition.networkMode}.`,
            `Make a target group of type ${wanted}.`,
          )
        }
        return `${containerName}:${containerPort}`
      },
    }
  })
}

/** Roles exist, ECS may assume them, and the caller may pass them. */
function roleLooks({ aws, definition }: Scene, caller: string): Look[] {
  const { executionRoleArn, taskRoleArn } = definition
  const roles = [
    ["execution role", executionRoleArn],
    ["task role", taskRoleArn],
  ] as const
  const found = roles.flatMap(([name, arn]): Look[] =>
    arn
      ? [
          { name, blocks: true, work: () => checkRole(aws, arn, "ecs-tasks.amazonaws.com") },
          { name: `passing the ${name}`, blocks: true, work: () => checkPass(aws, arn, caller) },
        ]
      : [],
  )
  if (executionRoleArn) return found
  const needs = needsExecutionRole(definition)
  if (needs === undefined) return found
  const work = async () => {
    throw wrong(
      `${definition.family} has no execution role, and ${needs}.`,
      "",
      "Set executionRoleArn in the task definition.",
    )
  }
  return [{ name: "execution role", blocks: true, work }, ...found]
}

/** Why a task needs an execution role (ECS developer guide, "Amazon ECS task execution IAM role"). */
function needsExecutionRole({ containerDefinitions = [], requiresCompatibilities }: TaskDefinition) {
  if (containerDefinitions.some(({ secrets }) => secrets?.length)) return "its containers have secrets"
  const isFargate = requiresCompatibilities?.includes("FARGATE")
  if (isFargate) return "Fargate pulls the image from ECR with it"
  return undefined
}

async function checkRole(aws: Aws, arn: string, principal: string): Promise<string> {
  const client = await iam(aws)
  const name = arn.split("/").at(-1) ?? arn
  const { Role } = await named(
    () => client.getRole({ RoleName: name }),
    /^NoSuchEntity/,
    `There is no role ${arn}.`,
    "Create it, or correct the task definition.",
  )
  if (!trusts(Role?.AssumeRolePolicyDocument ?? "", principal)) {
    throw wrong(
      `The role ${name} does not trust ${principal}.`,
      "ECS cannot assume it.",
      `Allow sts:AssumeRole for the service ${principal} in its trust policy.`,
    )
  }
  return name
}

type Statement = {
  Effect?: string
  Action?: string | string[]
  Principal?: { Service?: string | string[] } | string
}

/** Whether a trust policy lets a service assume the role. Its conditions are not looked at. Pure. */
export function trusts(document: string, principal: string): boolean {
  const list = <T>(value: T | T[] | undefined): T[] => (value === undefined ? [] : ([value].flat() as T[]))
  let policy: { Statement?: Statement | Statement[] }
  try {
    policy = JSON.parse(document.trim().startsWith("{") ? document : decodeURIComponent(document))
  } catch {
    return false
  }
  return list(policy.Statement).some(
    ({ Effect, Action, Principal }) =>
      Effect === "Allow" &&
      list(Action).some(action => action === "sts:AssumeRole" || action === "sts:*" || action === "*") &&
      typeof Principal === "object" &&
      list(Principal.Service).includes(principal),
  )
}

async function checkPass(aws: Aws, arn: string, caller: string): Promise<string> {
  const client = await iam(aws)
  const [, account, role] = /^arn:[^:]+:sts::(\d+):assumed-role\/([^/]+)\//.exec(caller) ?? []
  const source =
    role === undefined
      ? caller
      : ((await client.getRole({ RoleName: role })).Role?.Arn ?? `arn:aws:iam::${account}:role/${role}`)
  if (/:root$/.test(source)) return "by the account's root"
  const { EvaluationResults } = await client.simulatePrincipalPolicy({
    PolicySourceArn: source,
    ActionNames: ["iam:PassRole"],
    ResourceArns: [arn],
    ContextEntries: [
      {
        ContextKeyName: "iam:PassedToService",
        ContextKeyValues: ["ecs-tasks.amazonaws.com"],
        ContextKeyType: "string",
      },
    ],
  })
  const decision = EvaluationResults?.[0]?.EvalDecision
  if (decision === "allowed") return `by ${source.split("/").at(-1)}`
  throw wrong(
    `${source} may not pass ${arn}.`,
    `The policies say: ${decision ?? "nothing"}.`,
    `Allow iam:PassRole on ${arn}, with the condition iam:PassedToService ecs-tasks.amazonaws.com.`,
  )
}

/** Secrets and parameters that containers get exist. */
function secretLooks({ aws, definition }: Scene): Look[] {
  const all = (definition.containerDefinitions ?? []).flatMap(
    ({ secrets = [], logConfiguration, repositoryCredentials }) => [
      ...secrets,
      ...(logConfiguration?.secretOptions ?? []),
      ...(repositoryCredentials
        ? [{ name: "registry login", valueFrom: repositoryCredentials.credentialsParameter }]
        : []),
    ],
  )
  const names = new Map(all.map(({ name = "", valueFrom = "" }) => [valueFrom, name]))
  return [...names].map(([from, name]) => ({
    name: `secret ${name}`,
    blocks: true,
    work: () => checkSecret(aws, from),
  }))
}

async function checkSecret(aws: Aws, from: string): Promise<string> {
  const parts = from.split(":")
  const there = parts[0] === "arn" && parts[3] ? { ...aws, region: parts[3] } : aws
  if (parts[2] === "secretsmanager") {
    // After the name come a key of its JSON, a stage and a version (ECS developer guide, "Secrets Manager secrets").
    const id = parts.slice(0, 7).join(":")
    const client = await secretsManager(there)
    const { DeletedDate } = await named(
      () => client.describeSecret({ SecretId: id }),
      /^ResourceNotFound/,
      `There is no secret ${id}.`,
      "Create it, or correct valueFrom in the task definition.",
    )
    if (!DeletedDate) return id.split(":").at(-1) ?? id
    throw wrong(
      `The secret ${id} is being deleted.`,
      `Since ${DeletedDate.toISOString()}.`,
      "Restore it, or take it out of the task definition.",
    )
  }
  const name = parts[0] === "arn" ? from.replace(/^.*?:parameter/, "") : from
  const client = await ssm(there)
  const known = [name, name.replace(/^\//, "")]
  const { Parameters } = await client.describeParameters({
    ParameterFilters: [{ Key: "Name", Option: "Equals", Values: known }],
  })
  if (Parameters?.some(it => known.includes(it.Name ?? ""))) return name
  throw wrong(
    `There is no parameter ${name} in ${there.region}.`,
    "",
    "Create it, or correct valueFrom in the task definition.",
  )
}

/** Log groups exist, or ECS may make them. */
function logLooks({ aws, definition }: Scene): Look[] {
  const groups = new Map(
    (definition.containerDefinitions ?? []).flatMap(({ logConfiguration }) => {
      const { logDriver, options } = logConfiguration ?? {}
      const group = options?.["awslogs-group"]
      return logDriver === "awslogs" && group ? [[group, options]] : []
    }),
  )
  return [...groups].map(([group, options]) => ({
    name: `log group ${group}`,
    blocks: true,
    work: async () => {
      if (options?.["awslogs-create-group"] === "true") return "made by the first task if it is not there"
      const region = options?.["awslogs-region"] ?? aws.region
      const client = await logs({ ...aws, region })
      const { logGroups } = await client.describeLogGroups({ logGroupNamePrefix: group })
      const found = logGroups?.find(({ logGroupName }) => logGroupName === group)
      if (found) return found.retentionInDays ? `kept for ${found.retentionInDays} days` : "kept forever"
      throw wrong(
        `There is no log group ${group} in ${region}.`,
        "ECS cannot start a task that logs there.",
        `Create it: aws logs create-log-group --log-group-name ${group} --region ${region}, or set awslogs-create-group.`,
      )
    },
  }))
}

/** Subnets and security groups exist, in one network. */
function networkLooks({ aws, service }: Scene): Look[] {
  const { subnets = [], securityGroups = [] } = service.networkConfiguration?.awsvpcConfiguration ?? {}
  if (subnets.length === 0) return []
  const inNetwork = (of: { VpcId?: string }[] | undefined) => new Set(of?.flatMap(({ VpcId }) => VpcId ?? []))
  const subnetsLook = async () => {
    const client = await ec2(aws)
    const { Subnets } = await named(
      () => client.describeSubnets({ SubnetIds: subnets }),
      /^InvalidSubnetID/,
      `Not all of these subnets exist: ${subnets.join(", ")}.`,
      "Correct the service's network configuration.",
    )
    return {
      networks: inNetwork(Subnets),
      text: `${subnets.length} in ${[...inNetwork(Subnets)].join(", ")}`,
    }
  }
  const groupsLook = async () => {
    const client = await ec2(aws)
    const { SecurityGroups } = await named(
      () => client.describeSecurityGroups({ GroupIds: securityGroups }),
      /^InvalidGroup/,
      `Not all of these security groups exist: ${securityGroups.join(", ")}.`,
      "Correct the service's network configuration.",
    )
    const { networks } = await subnetsLook()
    const other = SecurityGroups?.find(({ VpcId = "" }) => networks.size > 0 && !networks.has(VpcId))
    if (!other) return securityGroups.join(", ")
    throw wrong(
      `The security group ${other.GroupId} is in ${other.VpcId}, and the subnets are in ${[...networks].join(", ")}.`,
      "",
      "Use a security group of the subnets' network.",
    )
  }
  return [
    { name: "subnets", blocks: true, work: async () => (await subnetsLook()).text },
    ...(securityGroups.length > 0 ? [{ name: "security groups", blocks: true, work: groupsLook }] : []),
  ]
}

/** Fargate's quota of vCPUs that run at once in an account and region, on demand and Spot. */
const vcpuQuota = { FARGATE: "L-3032A538", FARGATE_SPOT: "L-36FBB829" }

/** A deployment's tasks fit into the account's quota. What other services use of it is not known. */
function quotaLooks({ aws, service, definition }: Scene): Look[] {
  const providers = (service.capacityProviderStrategy ?? []).map(it => it.capacityProvider)
  const kind = (["FARGATE_SPOT", "FARGATE"] as const).find(
    it => service.launchType === it || providers.includes(it),
  )
  if (kind === undefined) return []
  const work = async () => {
    const client = await quotas(aws)
    const { Quota } = await client.getServiceQuota({ ServiceCode: "fargate", QuotaCode: vcpuQuota[kind] })
    const cpu = Number(definition.cpu ?? 0) / 1024
    const most =
      ((service.desiredCount ?? 0) * (service.deploymentConfiguration?.maximumPercent ?? 200)) / 100
    const needed = Math.ceil(most) * cpu
    if (Quota?.Value === undefined) return `${needed} vCPU needed; the quota is not known`
    if (needed <= Quota.Value) return `${needed} of ${Quota.Value} vCPU at most`
    throw wrong(
      `A deployment needs up to ${needed} vCPU, and the account may run ${Quota.Value} on ${kind}.`,
      `${service.desiredCount} tasks of ${cpu} vCPU, at ${service.deploymentConfiguration?.maximumPercent ?? 200} %.`,
      `Ask for more in Service Quotas (fargate, ${vcpuQuota[kind]}), or lower the service's maximumPercent.`,
    )
  }
  return [{ name: "vCPU quota", blocks: true, work }]
}

function checkRollback({ service }: Scene): string {
  const { deploymentCircuitBreaker: breaker, alarms } = service.deploymentConfiguration ?? {}
  if (!rollsBack(service)) {
    throw wrong(
      "Nothing rolls a failed deployment back.",
      breaker?.enable
        ? "The circuit breaker is on, without rollback."
        : "The service has no circuit breaker.",
      "Set deploymentCircuitBreaker to enable and rollback in the service.",
    )
  }
  const { type, value } = breaker?.thresholdConfiguration ?? {}
  const threshold = type === "COUNT" ? `, after ${value} failed tasks` : value ? `, at ${value} %` : ""
  return [
    breaker?.enable && breaker.rollback ? `by the circuit breaker${threshold}` : "",
    alarms?.enable && alarms.rollback ? `by the alarms ${alarms.alarmNames?.join(", ")}` : "",
  ]
    .filter(Boolean)
    .join(", ")
}

/** The functions that hooks call exist, and ECS may call them. */
function hookLooks({ aws, service }: Scene): Look[] {
  return (service.deploymentConfiguration?.lifecycleHooks ?? []).flatMap(hook => {
    const { targetType, hookTargetArn, roleArn, lifecycleStages = [] } = hook
    const name = `hook at ${lifecycleStages.join(", ")}`
    if (targetType === "PAUSE") {
      const work = async () => {
        const bad = lifecycleStages.find(it => !pauseStages.includes(it))
        if (bad) throw wrong(`ECS cannot wait at ${bad}.`, "", `It can at ${pauseStages.join(", ")}.`)
        return `waits for an approval, for ${hook.timeoutConfiguration?.timeoutInMinutes ?? 1440} min`
      }
      return [{ name, blocks: true, work }]
    }
    const work = async () => {
      const client = await lambda(aws)
      const { State } = await named(
        () => client.getFunctionConfiguration({ FunctionName: hookTargetArn ?? "" }),
        /^ResourceNotFound/,
        `There is no Lambda function ${hookTargetArn}.`,
        "Create it, or take the hook out of the service.",
      )
      if (State === "Failed")
        throw wrong(`The Lambda function ${hookTargetArn} has failed.`, "", "Publish it again.")
      return hookTargetArn?.split(":").at(-1) ?? ""
    }
    return [
      { name, blocks: true, work },
      ...(roleArn
        ? [{ name: `${name}: role`, blocks: true, work: () => checkRole(aws, roleArn, "ecs.amazonaws.com") }]
        : []),
    ]
  })
}

/** Asks AWS for something by its name; if it says that there is no such thing, that is what is wrong. */
async function named<T>(call: () => Promise<T>, missing: RegExp, what: string, remedy: string): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (!missing.test((error as Error).name)) throw error
    throw wrong(what, (error as Error).message, remedy)
  }
}
