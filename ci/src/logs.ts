import { type Aws, pages } from "./aws/clients.js"
import { explained, passing } from "./aws/errors.js"
import type { FilteredLogEvent } from "./aws/types.js"
import { type LogGroup, logGroupsOf, logsClient } from "./ecs/logs.js"
import { describeRevision } from "./ecs/revision.js"
import { describeService, errorContext, openService, revisionOf } from "./ecs/service.js"
import { UserError } from "./lib/errors.js"
import type { ServiceRef } from "./settings.js"

/** What to read of a service's logs. */
export type LogsOptions = {
  /** The time of the earliest line. */
  since: Date
  /** How many seconds to keep reading new lines; 0 to stop after the existing ones. */
  followSeconds: number
  /** Called with each line. */
  print: (line: string) => void
}

/** How often to look for new lines, in seconds. */
const interval = 2
/** Pages may be empty, so a week of a busy group can have very many of them. */
const manyPages = 1_000_000
/** How far back each read goes: CloudWatch Logs may show a line after later ones. Milliseconds. */
const overlap = 20_000

/**
 * Prints what a service's containers wrote to CloudWatch Logs, from all its tasks, the oldest line first: time, task, container, text.
 *
 * @throws UserError if its task definition sends no log there
 */
export async function readLogs(aws: Aws, where: ServiceRef, options: LogsOptions): Promise<void> {
  const target = await openService(aws, where)
  await explained(errorContext(target), async () => {
    const { definition } = await describeRevision(target, revisionOf(await describeService(target)))
    const groups = logGroupsOf(definition.containerDefinitions ?? [])
    if (groups.length === 0) {
      throw new UserError(
        `${where.cluster}/${where.service} sends no logs to CloudWatch Logs.`,
        "None of its containers uses the log driver awslogs with a stream prefix.",
        "The task definition says where its logs go: read them there.",
      )
    }
    const known = new Set<string>()
    const until = Date.now() + options.followSeconds * 1000
    const from = groups.map(() => options.since.getTime())
    for (;;) {
      const found = await Promise.all(
        groups.map((group, at) => read(aws, group, from[at] ?? 0, options.followSeconds > 0)),
      )
      const events = found.flatMap(it => it ?? [])
      const fresh = events.filter(({ key }) => !known.has(key)).sort((a, b) => a.time - b.time)
      for (const { key, lines } of fresh) {
        known.add(key)
        for (const line of lines) options.print(line)
      }
      for (const [at, lines] of found.entries()) {
        from[at] = (lines ?? []).reduce((most, { time }) => Math.max(most, time - overlap), from[at] ?? 0)
      }
      if (Date.now() >= until) return
      await new Promise(resolve => setTimeout(resolve, Math.min(interval * 1000, until - Date.now())))
    }
  })
}

type Entry = { key: string; time: number; lines: string[] }

/** The lines in a group since a time; undefined if AWS did not answer, and the next read will try again. */
async function read(aws: Aws, group: LogGroup, from: number, again: boolean): Promise<Entry[] | undefined> {
  const client = await logsClient(aws, group)
  const input = { logGroupName: group.name, startTime: from, logStreamNamePrefix: group.prefix }
  const events: FilteredLogEvent[] = []
  try {
    for await (const page of pages(nextToken => client.filterLogEvents({ ...input, nextToken }), manyPages)) {
      events.push(...(page.events ?? []))
    }
  } catch (error) {
    if ((error as Error).name === "ResourceNotFoundException") return []
    if (!again || !passing(error)) throw error
    return undefined
  }
  return events.flatMap(({ eventId, logStreamName = "", timestamp = 0, message = "" }) => {
    const [container, task = ""] = (group.pattern.exec(logStreamName) ?? []).slice(1).filter(Boolean)
    if (container === undefined) return []
    const key = eventId ?? `${logStreamName} ${timestamp} ${message}`
    const at = new Date(timestamp).toISOString()
    // Each line starts with time, task and container, so that none can be mistaken for another task's.
    const lines = message
      .trimEnd()
      .split(/\r\n|[\r\n]/)
      .map(text => `${at} ${task.slice(0, 8)} ${container}  ${text}`)
    return [{ key, time: timestamp, lines }]
  })
}
