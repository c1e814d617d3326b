import { type Aws, iam } from "../aws/clients.js"
import type { TaskDefinition } from "../aws/types.js"
import { UserError } from "../lib/errors.js"
import { type Look, orMissing, type Scene, Wrong } from "./check.js"

/** Roles exist, ECS may assume them, and the caller may pass them. */
export function roleLooks({ aws, caller, definition }: Scene): Look[] {
  const { executionRoleArn, taskRoleArn } = definition
  const roles = [
    ["execution role", executionRoleArn],
    ["task role", taskRoleArn],
  ] as const
  const found = roles.flatMap(([name, arn]): Look[] =>
    arn
      ? [
          { name, blocks: true, work: () => checkRole(aws, arn, "ecs-tasks.amazonaws.com") },
          { name: `passing the ${name}`, blocks: true, work: () => checkPass(aws, arn, caller.arn) },
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

export async function checkRole(aws: Aws, arn: string, principal: string): Promise<string> {
  const client = await iam(aws)
  const name = arn.split("/").at(-1) ?? arn
  const { Role } = await orMissing(
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

/** Whether a trust policy lets a service assume the role. Its conditions are not checked. Pure. */
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
 * @throws UserError if the simulation cannot tell: a policy's condition depends on something that only the real call has, or an
 *   organization's policy, which is simulated without its conditions, denies it
 */
export async function mayDo(
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
