import { pages } from "../aws/clients.js"
import { passing } from "../aws/errors.js"
import type { Container, Task, TaskDefinition } from "../aws/types.js"
import { logStream, logsClient, readLog } from "./logs.js"
import { shortName, type Target } from "./service.js"

/** Why a task stopped. */
export type Cause = {
  task: Task
  /** One line: the reason, and what each failed container left behind. */
  text: string
  /** What to do about it, if the reason is a known one. */
  hint?: string
}

/** How many stopped tasks to read at most: ECS lists them in no order. */
const mostTasks = 1000
/** How many lines of a failed task's log to show. */
const logLines = 15

/** Known reasons and what helps (ECS developer guide, "Stopped task error codes"). */
const hints: [RegExp, string][] = [
  [
    /CannotPullContainer|manifest unknown|ImagePull/i,
    "ECS could not pull the image: check that it is in the registry for this platform, that the execution role may pull it, and that the subnets reach ECR (NAT or VPC endpoints).",
  ],
  [
    /ResourceInitializationError|unable to pull secrets|asm fetching secret/i,
    "ECS could not prepare the task: check the execution role's access to secrets and logs, and that the subnets reach those services.",
  ],
  [/OutOfMemory/i, "The container used more memory than allowed: raise its memory in the task definition."],
  [
    /health check/i,
    "Tasks start but their health check fails: check its command or path, and its grace or start period, in the task definition or target group.",
  ],
  [/exec format error/i, "The image was built for another platform: set --platform to the service's."],
  [
    /CannotStartContainer|no such file or directory|executable file not found/i,
    "The container's command could not be started: check its entry point in the image and in the task definition.",
  ],
]

/** Whether ECS or a person stopped the task on purpose, which is not a failure. */
function wished({ stopCode, stoppedReason = "" }: Task): boolean {
  return (
    stopCode === "UserInitiated" ||
    (stopCode === "ServiceSchedulerInitiated" && /scaling activity|deployment/i.test(stoppedReason))
  )
}

/**
 * The failures among stopped tasks, the newest first. Pure.
 *
 * @param revision ARN of the task definition that is looked at
 * @param since earlier tasks belong to another deployment
 */
export function failures(tasks: Task[], revision: string, since?: Date): Cause[] {
  return tasks
    .filter(task => task.taskDefinitionArn === revision && task.lastStatus === "STOPPED" && !wished(task))
    .filter(({ createdAt }) => since === undefined || createdAt === undefined || createdAt >= since)
    .sort((a, b) => (b.stoppedAt?.getTime() ?? 0) - (a.stoppedAt?.getTime() ?? 0))
    .map(task => {
      const text = describe(task)
      return { task, text, hint: hintFor(text, task.containers ?? []) }
    })
}

function describe({ stoppedReason, stopCode, containers = [] }: Task): string {
  const reason = stoppedReason || stopCode || "stopped without a reason"
  const details = containers.filter(failed).map(({ name, exitCode, reason: why }) => {
    const parts = [exitCode === undefined ? "" : `exit code ${exitCode}`, why && why !== reason ? why : ""]
    return `${name}: ${parts.filter(Boolean).join(", ")}`
  })
  return details.length === 0 ? reason : `${reason} (${details.join("; ")})`
}

/** A container that ended with an error, or that never started for a reason that ECS gives. */
function failed({ exitCode, reason }: Container): boolean {
  return exitCode === undefined ? Boolean(reason) : exitCode !== 0 || Boolean(reason)
}

function hintFor(text: string, containers: Container[]): string | undefined {
  const known = hints.find(([pattern]) => pattern.test(text))?.[1]
  if (known !== undefined) return known
  if (containers.some(({ exitCode }) => exitCode === 137)) {
    return "Exit code 137: the container was killed, most often for using more memory than allowed."
  }
  const exited = containers.find(({ exitCode }) => exitCode !== undefined && exitCode !== 0)
  return exited && `The program in "${exited.name}" ended by itself: its log says why.`
}

/** Tasks of the service that stopped recently (ECS shows them for about an hour). */
export async function stoppedTasks({ client, cluster, service }: Target): Promise<Task[]> {
  const input = { cluster, serviceName: service, desiredStatus: "STOPPED", maxResults: 100 } as const
  const tasks: Task[] = []
  for await (const { taskArns = [] } of pages(nextToken => client.listTasks({ ...input, nextToken }))) {
    if (taskArns.length > 0)
      tasks.push(...((await client.describeTasks({ cluster, tasks: taskArns })).tasks ?? []))
    if (tasks.length >= mostTasks) break
  }
  return tasks
}

/**
 * The report on failed tasks: each reason once with a count, and the last log lines of the newest.
 *
 * @param definition their task definition, which says where the logs are
 * @returns lines; none if no task failed
 */
export async function report(target: Target, causes: Cause[], definition: TaskDefinition): Promise<string[]> {
  const byText = group(causes)
  const lines: string[] = []
  for (const [text, same] of [...byText].slice(0, 4)) {
    const ids = same.slice(0, 3).map(({ task }) => shortName(task.taskArn).slice(0, 8))
    lines.push(`${same.length === 1 ? "task" : `${same.length} tasks, such as`} ${ids.join(", ")}: ${text}`)
  }
  const newest = causes[0]
  if (newest === undefined) return lines
  return [...lines, ...(await lastLines(target, newest.task, definition))]
}

function group(causes: Cause[]): Map<string, Cause[]> {
  const found = new Map<string, Cause[]>()
  for (const cause of causes) found.set(cause.text, [...(found.get(cause.text) ?? []), cause])
  return found
}

/** The last log lines of the first container that failed; a line that says why if there are none. */
export async function lastLines(target: Target, task: Task, definition: TaskDefinition): Promise<string[]> {
  const container = task.containers?.find(failed) ?? task.containers?.[0]
  const found = definition.containerDefinitions?.find(({ name }) => name === container?.name)
  if (found === undefined || task.taskArn === undefined) return []
  const stream = logStream(found, task.taskArn, container)
  if (stream === undefined) {
    const driver = found.logConfiguration?.logDriver ?? "none"
    return [`no log lines: container "${found.name}" does not log to CloudWatch (log driver: ${driver})`]
  }
  try {
    const { lines } = await readLog(await logsClient(target.aws, stream), stream, logLines)
    if (lines.length === 0 && container?.exitCode === undefined) return [] // It never ran.
    if (lines.length === 0)
      return [`no log lines in ${stream.group} ${stream.stream}: the program wrote nothing`]
    return [
      `last lines of ${stream.group} ${stream.stream}:`,
      ...lines.slice(-logLines).map(line => `  | ${line}`),
    ]
  } catch (error) {
    return [`no log lines: could not read ${stream.group}: ${(error as Error).message}`]
  }
}

/** The tasks that stopped. They explain the result but do not decide it: if they can't be read, that is only printed. */
export async function readStopped(
  target: Target,
  known: Task[],
  print: (line: string) => void,
): Promise<Task[]> {
  try {
    return await stoppedTasks(target)
  } catch (error) {
    if (passing(error)) throw error
    print(`could not find out why tasks stopped: ${(error as Error).message}`)
    return known
  }
}
