import type { Service, TaskDefinition } from "@aws-sdk/client-ecs"
import { identityOf, openAws } from "./aws/account.js"
import { type Aws, logs } from "./aws/clients.js"
import { explain, missingRight } from "./aws/errors.js"
import { ec2, iam, lambda, loadBalancing, quotas, secretsManager, ssm } from "./aws/inspect.js"
import { Registry } from "./ecr/registry.js"
import { pauseStages } from "./ecs/pause.js"
import { describeRevision } from "./ecs/revision.js"
import { assertDeployable, open, revisionOf, rollsBack, shiftsTraffic, type Target } from "./ecs/service.js"
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
    if (error instanceof Wrong) return { name, result: "wrong", text: error.message, blocks }
    const right = missingRight(error)
    const text = right === undefined ? (explain(error, aws) as Error).message : `${right} is missing`
    return { name, result: "cannot tell", text, blocks }
  }
}

/** What is wrong with a thing. Any other error says only that it could not be looked at. */
class Wrong extends UserError {}

/** Turns a refusal of the deployment's own checks into what is wrong. */
function refused(check: () => void): void {
  try {
    check()
  } catch (error) {
    throw error instanceof UserError ? new Wrong(error.message) : error
  }
}

async function verifyService(aws: Aws, settings: Settings, where: Where, caller: string): Promise<Check[]> {
  const prefix = where.someContainers ? `${where.service}: ` : ""
  const target = await open(aws, where)
  let scene: Scene | undefined
  const first = await run(aws, {
    name: `${prefix}service`,
    blocks: true,
    work: async () => {
      const service = await findService(target)
      const { definition } = await named(
        () => describeRevision(target, where.template ?? revisionOf(service)),
        /^ClientException/,
        `There is no task definition ${where.template ?? revisionOf(service)}.`,
        "Set --template to a family that is registered.",
      )
      scene = { aws, where, settings, service, definition }
      return checkService(scene)
    },
  })
  return scene === undefined ? [first] : [first, ...(await verifyScene(scene, prefix, caller))]
}

async function findService(target: Target): Promise<Service> {
  const { cluster, service } = target
  const missing = `There is no service "${service}" in the cluster "${cluster}".`
  const { services } = await named(
    () => target.client.describeServices({ cluster, services: [service] }),
    /^(ClusterNotFound|ServiceNotFound)/,
    missing,
    "Correct --cluster and --service, or --region.",
  )
  const [found] = services ?? []
  if (found) return found
  throw new Wrong(missing, "", "Correct --cluster and --service, or --region.")
}

async function verifyScene(scene: Scene, prefix: string, caller: string): Promise<Check[]> {
  const { aws } = scene
  const looks: Look[] = [
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
}

async function checkRegistry(aws: Aws, { repository: name }: Settings): Promise<string> {
  const repository = required(name, "ECR repository", "--repository")
  const { uri, tagsCanMove } = await named(
    () => Registry.open(aws, repository),
    /^RepositoryNotFound/,
    `There is no ECR repository "${repository}" in ${aws.region}.`,
    "Create it, or set --repository or --region.",
  )
  return tagsCanMove ? `${uri}; its tags can be moved to other images: make them immutable` : uri
}

function checkService({ service, where }: Scene): string {
  refused(() => assertDeployable(service, where))
  const { desiredCount = 0, launchType, deploymentConfiguration } = service
  const strategy = (deploymentConfiguration?.strategy ?? "ROLLING").toLowerCase().replace("_", "/")
  return [`${where.cluster}/${where.service}`, `${desiredCount} desired`, strategy, launchType?.toLowerCase()]
    .filter(Boolean)
    .join(", ")
}

function checkContainers({ definition, where }: Scene): string {
  refused(() => chooseContainers(definition, where))
  const names = chooseContainers(definition, where).map(({ name }) => name)
  return `${names.join(", ")} of ${definition.family}`
}

function checkPlatform({ definition, settings }: Scene): string {
  refused(() => assertPlatform(definition, settings.platform))
  return namesIn(settings.platform).join(" and ")
}

/** The port that a target group sends traffic to is one of the container's, and the group takes this kind of target. */
function balancerLooks({ aws, service, definition }: Scene): Look[] {
  // In blue/green, linear and canary deployments traffic goes to two groups in turn, and ECS moves it with a role.
  const groups = (service.loadBalancers ?? []).flatMap(({ advancedConfiguration, ...it }) => [
    it,
    ...(advancedConfiguration?.alternateTargetGroupArn
      ? [{ ...it, targetGroupArn: advancedConfiguration.alternateTargetGroupArn }]
      : []),
  ])
  const roles = (service.loadBalancers ?? []).flatMap(it => it.advancedConfiguration?.roleArn ?? [])
  const roleLooks = [...new Set(roles)].map(
    (arn): Look => ({
      name: "role that moves traffic",
      blocks: true,
      work: () => checkRole(aws, arn, "ecs.amazonaws.com"),
    }),
  )
  const looks = groups.map(({ containerName, containerPort, targetGroupArn = "" }): Look => {
    const group = targetGroupArn.split("/")[1] ?? targetGroupArn
    return {
      name: `target group ${group}`,
      blocks: true,
      work: async () => {
        const container = definition.containerDefinitions?.find(({ name }) => name === containerName)
        const ports = (container?.portMappings ?? []).map(it => it.containerPort ?? it.containerPortRange)
        if (!ports.includes(containerPort)) {
          throw new Wrong(
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
          throw new Wrong(
            `The target group ${group} has targets of type ${found?.TargetType}, and the tasks need ${wanted}.`,
            `The task definition's network mode is ${definition.networkMode ?? "bridge, the default"}.`,
            `Make a target group of type ${wanted}.`,
          )
        }
        return `${containerName}:${containerPort}`
      },
    }
  })
  return [...looks, ...roleLooks]
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
    throw new Wrong(
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
  if (containerDefinitions.some(it => it.logConfiguration?.secretOptions?.length))
    return "its log driver has secrets"
  if (containerDefinitions.some(it => it.repositoryCredentials)) return "a registry needs a login"
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
    "Create it, or correct what names it.",
  )
  if (arn.startsWith("arn:") && Role?.Arn !== undefined && Role.Arn !== arn) {
    throw new Wrong(
      `There is no role ${arn}.`,
      `The role of that name is ${Role.Arn}.`,
      "Correct what names it.",
    )
  }
  if (!trusts(Role?.AssumeRolePolicyDocument ?? "", principal)) {
    throw new Wrong(
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
      list(Action).some(action => matches(action, "sts:AssumeRole")) &&
      typeof Principal === "object" &&
      list(Principal.Service).includes(principal),
  )
}

/** Whether a pattern of a policy, with * and ?, matches an action; case does not count. */
function matches(pattern: string, action: string): boolean {
  const text = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".")
  return new RegExp(`^${text}$`, "i").test(action)
}

async function checkPass(aws: Aws, arn: string, caller: string): Promise<string> {
  const client = await iam(aws)
  const [, account, role] = /^arn:[^:]+:sts::(\d+):assumed-role\/([^/]+)\//.exec(caller) ?? []
  const source =
    role === undefined
      ? caller
      : ((await client.getRole({ RoleName: role })).Role?.Arn ?? `arn:aws:iam::${account}:role/${role}`)
  if (/:root$/.test(source)) return "by the account's root"
  const context = { "iam:PassedToService": "ecs-tasks.amazonaws.com", "aws:RequestedRegion": aws.region }
  if (await mayDo(aws, source, "iam:PassRole", arn, context)) return `by ${source.split("/").at(-1)}`
  throw new Wrong(
    `${source} may not pass ${arn}.`,
    "No policy allows it.",
    `Allow iam:PassRole on ${arn}, with the condition iam:PassedToService ecs-tasks.amazonaws.com.`,
  )
}

/**
 * Whether a role or user may do something, by IAM's simulation of its policies.
 *
 * @throws UserError if that cannot be told: a policy's condition is about something that only the real call has, or an
 *   organization's policy, which is simulated without its conditions, denies it
 */
async function mayDo(
  aws: Aws,
  source: string,
  action: string,
  resource: string,
  context: Record<string, string>,
): Promise<boolean> {
  const client = await iam(aws)
  const { EvaluationResults } = await client.simulatePrincipalPolicy({
    PolicySourceArn: source,
    ActionNames: [action],
    ResourceArns: [resource],
    ContextEntries: Object.entries(context).map(([name, value]) => ({
      ContextKeyName: name,
      ContextKeyValues: [value],
      ContextKeyType: "string",
    })),
  })
  const [result] = EvaluationResults ?? []
  if (result?.EvalDecision === "allowed") return true
  const missing = result?.MissingContextValues ?? []
  if (missing.length > 0)
    throw new UserError(`It depends on ${missing.join(", ")}, which only the real call has.`)
  if (result?.OrganizationsDecisionDetail?.AllowedByOrganizations === false) {
    throw new UserError(
      "A policy of the organization may deny it; IAM simulates those without their conditions.",
    )
  }
  return false
}

/** Secrets and parameters that containers get exist. */
function secretLooks({ aws, definition }: Scene): Look[] {
  const all = (definition.containerDefinitions ?? []).flatMap(
    ({ secrets = [], logConfiguration, repositoryCredentials }) => [
      ...secrets,
      ...(logConfiguration?.secretOptions ?? []),
      ...(repositoryCredentials
        ? [{ name: login, valueFrom: repositoryCredentials.credentialsParameter }]
        : []),
    ],
  )
  const names = new Map(all.map(({ name = "", valueFrom = "" }) => [valueFrom, name]))
  return [...names].map(([from, name]) => ({
    name: `secret ${name}`,
    blocks: true,
    work: () => (name === login ? checkManaged(aws, from) : checkSecret(aws, from)),
  }))
}

/** What the secret for a private registry is called; it may be given by its name (ECS API reference, RepositoryCredentials). */
const login = "registry login"

async function checkSecret(aws: Aws, from: string): Promise<string> {
  const parts = from.split(":")
  if (parts[2] === "secretsmanager") return checkManaged(aws, from)
  const there = regionOf(aws, parts)
  const { account } = await identityOf(aws)
  if (parts[0] === "arn" && parts[4] !== account)
    throw new UserError(`It belongs to account ${parts[4]}, which is not asked.`)
  const name = parts[0] === "arn" ? from.replace(/^.*?:parameter/, "") : from
  const client = await ssm(there)
  const known = [...new Set([name, name.replace(/^\//, "")])]
  const filter = { ParameterFilters: [{ Key: "Name", Option: "Equals", Values: known }] }
  let NextToken: string | undefined
  do {
    // A page may be empty although others follow.
    const page = await client.describeParameters({ ...filter, NextToken })
    if (page.Parameters?.some(it => known.includes(it.Name ?? ""))) return name
    NextToken = page.NextToken
  } while (NextToken)
  throw new Wrong(
    `There is no parameter ${name} in ${there.region}.`,
    "",
    "Create it, or correct valueFrom in the task definition.",
  )
}

function regionOf(aws: Aws, arn: string[]): Aws {
  return arn[0] === "arn" && arn[3] ? { ...aws, region: arn[3] } : aws
}

/** A secret of AWS Secrets Manager exists and has a value; the value is not read. */
async function checkManaged(aws: Aws, from: string): Promise<string> {
  const parts = from.split(":")
  // After the name come a key of its JSON, a stage and a version (ECS developer guide, "Secrets Manager secrets").
  const id = parts[0] === "arn" ? parts.slice(0, 7).join(":") : from
  const [stage = "", version = ""] = parts.slice(8)
  const client = await secretsManager(regionOf(aws, parts))
  const { DeletedDate, VersionIdsToStages = {} } = await named(
    () => client.describeSecret({ SecretId: id }),
    /^ResourceNotFound/,
    `There is no secret ${id}.`,
    "Create it, or correct valueFrom in the task definition.",
  )
  if (DeletedDate) {
    throw new Wrong(
      `The secret ${id} is being deleted.`,
      `Since ${DeletedDate.toISOString()}.`,
      "Restore it, or take it out of the task definition.",
    )
  }
  const wanted = version || stage || "AWSCURRENT"
  const stages = Object.values(VersionIdsToStages).flat()
  const isThere = version ? version in VersionIdsToStages : stages.includes(wanted)
  if (isThere) return id.split(":").at(-1) ?? id
  throw new Wrong(
    `The secret ${id} has no value ${wanted}.`,
    stages.length === 0 ? "It has none at all." : `It has: ${stages.join(", ")}.`,
    "Give it one (aws secretsmanager put-secret-value), or correct valueFrom in the task definition.",
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
      const region = options?.["awslogs-region"] ?? aws.region
      const client = await logs({ ...aws, region })
      const { logGroups } = await client.describeLogGroups({ logGroupNamePrefix: group })
      const found = logGroups?.find(({ logGroupName }) => logGroupName === group)
      if (found) return found.retentionInDays ? `kept for ${found.retentionInDays} days` : "kept forever"
      const role = definition.executionRoleArn
      if (options?.["awslogs-create-group"] === "true" && role) {
        const account = role.split(":")[4]
        const arn = `${role.split(":").slice(0, 2).join(":")}:logs:${region}:${account}:log-group:${group}`
        if (await mayDo(aws, role, "logs:CreateLogGroup", arn, {})) return "the first task creates it"
        throw new Wrong(
          `There is no log group ${group} in ${region}, and the execution role may not create it.`,
          "The log driver's option awslogs-create-group needs logs:CreateLogGroup.",
          `Allow it for ${role}, or create the group: aws logs create-log-group --log-group-name ${group} --region ${region}`,
        )
      }
      throw new Wrong(
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
    // A group can be associated with other networks than its own.
    return `${securityGroups.join(", ")}${other ? `; ${other.GroupId} is in ${other.VpcId}, not in the subnets' network` : ""}`
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
  const kinds = (["FARGATE_SPOT", "FARGATE"] as const).filter(
    it => service.launchType === it || providers.includes(it),
  )
  const [kind] = kinds
  if (kind === undefined) return []
  const work = async () => {
    if (kinds.length > 1)
      throw new UserError("The tasks are on FARGATE and FARGATE_SPOT, each with its own quota.")
    const client = await quotas(aws)
    const { Quota } = await client.getServiceQuota({ ServiceCode: "fargate", QuotaCode: vcpuQuota[kind] })
    const cpu = Number(definition.cpu ?? 0) / 1024
    const percent = shiftsTraffic(service) ? 200 : (service.deploymentConfiguration?.maximumPercent ?? 200)
    const needed = Math.floor(((service.desiredCount ?? 0) * percent) / 100) * cpu
    if (Quota?.Value === undefined) return `${needed} vCPU needed; the quota is not known`
    if (needed <= Quota.Value) return `${needed} of ${Quota.Value} vCPU at most`
    throw new Wrong(
      `A deployment needs up to ${needed} vCPU, and the account may run ${Quota.Value} on ${kind}.`,
      `${service.desiredCount} tasks of ${cpu} vCPU, at ${percent} %. A rolling deployment then goes on more slowly.`,
      `Ask for more in Service Quotas (fargate, ${vcpuQuota[kind]}), or lower the service's maximumPercent.`,
    )
  }
  return [{ name: "vCPU quota", work }]
}

function checkRollback({ service }: Scene): string {
  const { deploymentCircuitBreaker: breaker, alarms } = service.deploymentConfiguration ?? {}
  if (!rollsBack(service)) {
    throw new Wrong(
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
        if (bad) throw new Wrong(`ECS cannot wait at ${bad}.`, "", `It can at ${pauseStages.join(", ")}.`)
        return `waits for an approval, for ${hook.timeoutConfiguration?.timeoutInMinutes ?? 1440} min`
      }
      return [{ name, blocks: true, work }]
    }
    const work = async () => {
      if (!hookTargetArn) throw new Wrong("The hook names no function.", "", "Give it one, or take it out.")
      const client = await lambda(aws)
      const { State } = await named(
        () => client.getFunctionConfiguration({ FunctionName: hookTargetArn }),
        /^ResourceNotFound/,
        `There is no Lambda function ${hookTargetArn}.`,
        "Create it, or take the hook out of the service.",
      )
      if (State === "Failed")
        throw new Wrong(`The Lambda function ${hookTargetArn} has failed.`, "", "Publish it again.")
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
    throw new Wrong(what, (error as Error).message, remedy)
  }
}
