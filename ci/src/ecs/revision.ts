import { type Aws, ecsCommands } from "../aws/clients.js"
import { explained } from "../aws/errors.js"
import type { RegisterTaskDefinitionRequest, Tag, TaskDefinition } from "../aws/types.js"
import { inBatches } from "../lib/list.js"
import { describeService, errorContext, openService, revisionOf, shortName, type Target } from "./service.js"
import {
  approvedByTag,
  causeTag,
  commitTag,
  completedTag,
  containersNamed,
  migratedTag,
  type Registration,
  rejectedByTag,
  rejectedWhyTag,
  rolledBackTag,
  smokedTag,
  versionIn,
  versionTag,
} from "./task-definition.js"

/** A registered task definition with its tags. */
export type Registered = { arn: string; definition: TaskDefinition; tags: Tag[] }

/** What a release needs to know about a revision. */
export type Revision = {
  arn: string
  number: number
  image?: string
  version?: string
  /** The version, if this pipeline released it. */
  released?: string
  commit?: string
  /** When it was seen to have completed a deployment (ISO 8601). */
  completed?: string
  /** When it was rolled back (ISO 8601). */
  rolledBack?: string
  /** How its failed task ended. */
  cause?: string
  /** When it passed its smoke check (ISO 8601). */
  smoked?: string
  /** ARN of who approved its deployment. */
  approved?: string
  /** ARN of who rejected its deployment, and why. */
  rejected?: string
  /** When its version's migration ran (ISO 8601). */
  migrated?: string
}

/** The body of an HTTP response as the SDK's middleware sees it. */
type RawResponse = { body?: AsyncIterable<Uint8Array> | Uint8Array }

/**
 * A task definition with all its fields. The SDK only reads the fields that its own version knows, and a field that AWS has added
 * since would be lost in the next revision: so this reads the answer's JSON as it came.
 *
 * @param reference ARN, `family:revision`, or a family for its latest ACTIVE revision
 */
export async function describeRevision({ client }: Target, reference: string): Promise<Registered> {
  const { DescribeTaskDefinitionCommand } = await ecsCommands()
  const command = new DescribeTaskDefinitionCommand({ taskDefinition: reference, include: ["TAGS"] })
  let raw: { taskDefinition?: TaskDefinition } | undefined
  command.middlewareStack.add(
    next => async args => {
      const result = await next(args)
      const response = result.response as RawResponse
      if (response.body === undefined) return result
      const chunks: Uint8Array[] = []
      if (response.body instanceof Uint8Array) chunks.push(response.body)
      else for await (const chunk of response.body) chunks.push(chunk)
      const bytes = Buffer.concat(chunks)
      response.body = bytes
      raw = parse(bytes)
      return result
    },
    { step: "deserialize", name: "keepUnknownFields", priority: "low" },
  )
  const answer = await client.send(command)
  const definition = { ...answer.taskDefinition, ...withoutNull(raw?.taskDefinition) }
  return { arn: definition.taskDefinitionArn as string, definition, tags: answer.tags ?? [] }
}

/**
 * Registers a task definition, including fields that the SDK does not know.
 *
 * @returns its ARN
 */
export async function register({ client }: Target, registration: Registration): Promise<string> {
  const { RegisterTaskDefinitionCommand } = await ecsCommands()
  const command = new RegisterTaskDefinitionCommand(registration as RegisterTaskDefinitionRequest)
  command.middlewareStack.add(
    next => args => {
      const request = args.request as { body?: unknown }
      request.body = JSON.stringify(registration)
      return next(args)
    },
    { step: "build", name: "sendUnknownFields", priority: "high" },
  )
  for (let tries = 8; ; tries--) {
    try {
      const answer = await client.send(command)
      return answer.taskDefinition?.taskDefinitionArn as string
    } catch (error) {
      // ECS registers one revision of a family at a time, and the SDK does not retry a ClientException.
      if (tries === 1 || !/concurrent attempts/i.test((error as Error).message)) throw error
      await new Promise(resolve => setTimeout(resolve, 200 + Math.random() * 1800))
    }
  }
}

/**
 * Reads a revision: its image, version and commit, and how its deployment went.
 *
 * @param container name of the container that is released; of several names, the first that is there
 */
export function readRevision({ arn, definition, tags }: Registered, container?: string): Revision {
  const tag = (key: string) => tags.find(it => it.key === key)?.value
  const containers = definition.containerDefinitions ?? []
  const only = containers.length === 1 ? containers[0] : undefined
  const definitionOf = containersNamed(containers, container)[0] ?? only
  return {
    arn,
    number: definition.revision ?? Number(shortName(arn).split(":")[1]),
    image: definitionOf?.image,
    version: (definitionOf && versionIn(definitionOf)) ?? tag(versionTag),
    released: tag(versionTag),
    commit: tag(commitTag),
    completed: tag(completedTag),
    rolledBack: tag(rolledBackTag),
    cause: tag(causeTag),
    smoked: tag(smokedTag),
    approved: tag(approvedByTag),
    rejected: [tag(rejectedByTag), tag(rejectedWhyTag)].filter(Boolean).join(": ") || undefined,
    migrated: tag(migratedTag),
  }
}

/**
 * The revision that a service runs or is about to run.
 *
 * @throws UserError if there is no such service
 */
export async function currentRevision(
  aws: Aws,
  where: { cluster: string; service: string; container?: string },
): Promise<Revision> {
  const target = await openService(aws, where)
  return explained(errorContext(target), async () => {
    const arn = revisionOf(await describeService(target))
    return readRevision(await describeRevision(target, arn), where.container)
  })
}

/**
 * The newest revisions of a family, the newest first.
 *
 * @param limit how many to read: one call each
 */
export async function recentRevisions(
  target: Target,
  family: string,
  container?: string,
  limit = 30,
): Promise<Revision[]> {
  const answer = await target.client.listTaskDefinitions({
    familyPrefix: family,
    sort: "DESC",
    status: "ACTIVE",
    maxResults: 100,
  })
  const number = (arn: string) => Number(arn.split(":").at(-1))
  const arns = (answer.taskDefinitionArns ?? [])
    .filter(arn => shortName(arn).startsWith(`${family}:`))
    .sort((a, b) => number(b) - number(a))
    .slice(0, limit)
  return inBatches(arns, async arn => readRevision(await describeRevision(target, arn), container))
}

/**
 * Sets tags on a revision and removes others. The tags are notes for later runs: if they can't be set, the run continues
 * with a warning that says what is missing.
 */
export async function tagRevision(
  { client }: Target,
  arn: string,
  set: Record<string, string>,
  unset: string[],
  print: (line: string) => void,
): Promise<void> {
  const tags = Object.entries(set).map(([key, value]) => ({ key, value }))
  try {
    if (tags.length > 0) await client.tagResource({ resourceArn: arn, tags })
    if (unset.length > 0) await client.untagResource({ resourceArn: arn, tagKeys: unset })
  } catch (error) {
    const names = [...Object.keys(set), ...unset].join(", ")
    print(`warning: could not note ${names} on ${shortName(arn)}: ${(error as Error).message}`)
    print(
      "warning: allow ecs:TagResource and ecs:UntagResource on the task definition; rollback relies on these notes",
    )
  }
}

function parse(bytes: Uint8Array): { taskDefinition?: TaskDefinition } | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"))
  } catch {
    return undefined // Not JSON: an error page, which the SDK reports itself.
  }
}

function withoutNull(definition: TaskDefinition | undefined): TaskDefinition {
  return Object.fromEntries(Object.entries(definition ?? {}).filter(([, value]) => value !== null))
}
