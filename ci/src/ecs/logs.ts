import { type Aws, logs } from "../aws/clients.js"
import type { CloudWatchLogs, Container, ContainerDefinition } from "../aws/types.js"
import { shortName } from "./service.js"

/** Where a container's log is in CloudWatch Logs. */
export type LogStream = { group: string; stream: string; region?: string }

/** A part of a log, and where the next part begins. */
export type LogPart = { lines: string[]; next?: string }

/** A container's options of the log driver awslogs; undefined if it logs elsewhere. */
export function awslogs({ logConfiguration }: ContainerDefinition) {
  const { logDriver, options = {} } = logConfiguration ?? {}
  const group = options["awslogs-group"]
  if (logDriver !== "awslogs" || !group) return undefined
  return {
    group,
    region: options["awslogs-region"],
    prefix: options["awslogs-stream-prefix"],
    createsGroup: options["awslogs-create-group"] === "true",
  }
}

/**
 * Finds a container's log stream from its task definition's `awslogs` options: `prefix/container/task` if a prefix is
 * set, otherwise the container's runtime ID (ECS developer guide, "Send Amazon ECS logs to CloudWatch").
 *
 * @param taskArn the task that the container ran in
 * @param container what ECS says about the container, for its runtime id
 * @returns undefined if the log goes elsewhere
 */
export function logStream(
  definition: ContainerDefinition,
  taskArn: string,
  container?: Container,
): LogStream | undefined {
  const log = awslogs(definition)
  const stream = log?.prefix ? `${log.prefix}/${definition.name}/${shortName(taskArn)}` : container?.runtimeId
  return log && stream !== undefined ? { group: log.group, stream, region: log.region } : undefined
}

/** A log group of a task definition's containers, and which of its streams are theirs. */
export type LogGroup = {
  name: string
  region?: string
  /** What their streams' names begin with. */
  prefix?: string
  /** Matches a stream's name: the container, and the task's id. */
  pattern: RegExp
}

/** The log groups that containers write to by `awslogs`, with the streams of those that have a prefix (see {@link logStream}). */
export function logGroupsOf(containers: ContainerDefinition[]): LogGroup[] {
  const found = new Map<string, LogGroup>()
  for (const container of containers) {
    const { name = "" } = container
    const { group, region, prefix } = awslogs(container) ?? {}
    if (!group || !prefix) continue
    const pattern = new RegExp(`^${escaped(prefix)}/(${escaped(name)})/([^/]+)$`)
    const both = found.get(`${region} ${group}`)
    found.set(`${region} ${group}`, {
      ...{ name: group, region },
      prefix: both && both.prefix !== `${prefix}/` ? undefined : `${prefix}/`,
      pattern: both ? new RegExp(`${both.pattern.source}|${pattern.source}`) : pattern,
    })
  }
  return [...found.values()]
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
}

/** CloudWatch Logs' client for the region that a log is in. */
export function logsClient(aws: Aws, { region }: { region?: string }): Promise<CloudWatchLogs> {
  return logs(region === undefined ? aws : { ...aws, region })
}

/**
 * The last lines of a log, or the lines after a place in it.
 *
 * @param limit how many lines at most
 * @param from where to continue (`next` of the previous part); the end of the log if left out
 * @returns no lines if there is no such log (yet)
 */
export async function readLog(
  client: CloudWatchLogs,
  { group, stream }: LogStream,
  limit: number,
  from?: string | "start",
): Promise<LogPart> {
  try {
    const answer = await client.getLogEvents({
      logGroupName: group,
      logStreamName: stream,
      limit,
      startFromHead: from !== undefined,
      ...(from !== undefined && from !== "start" && { nextToken: from }),
    })
    const lines = (answer.events ?? []).flatMap(({ message = "" }) => message.trimEnd().split(/\r\n|[\r\n]/))
    return { lines, next: answer.nextForwardToken }
  } catch (error) {
    if ((error as Error).name === "ResourceNotFoundException") return { lines: [], next: from }
    throw error
  }
}
