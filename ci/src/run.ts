import { createHash, randomUUID } from "node:crypto"
import type { Aws } from "./aws/clients.js"
import { explained, passing } from "./aws/errors.js"
import type { RunTaskRequest, RunTaskResponse, Tag, Task } from "./aws/types.js"
import { type DeployOptions, planDeploy } from "./deploy.js"
import { logStream, logsClient, readLog } from "./ecs/logs.js"
import { oneOff, runRequest } from "./ecs/one-off-task.js"
import { register } from "./ecs/revision.js"
import { errorContext, openService, shortName, type Target } from "./ecs/service.js"
import type { Registration } from "./ecs/task-definition.js"
import { UserError } from "./lib/errors.js"

export type RunOptions = DeployOptions & {
  /** The command, in place of the image's command and entry point. */
  command: string[]
  /** Names a job to do only once: a running task of that name is followed, and one that exited 0 is not run again. */
  once?: string
  timeoutSeconds?: number
  print?: (line: string) => void
}

/** A task that ran, and did not end well. */
export class TaskError extends UserError {}

/** A task that ended well. */
export type RunOutcome = { exitCode: number; task: string; text: string }

const interval = 2
/** Seconds between requests for a task that no capacity is free for. */
const placing = 10
/** Reasons for which ECS places no task now, and may soon (ECS developer guide, "API failure reasons"). */
const usedToken = "ConflictException"
const noCapacity = /^(RESOURCE|AGENT)\b|capacity is unavailable/i
/** How many pages of a log to print per look: a log that grows as fast as it is read must not hold it up. */
const logPages = 100

/**
 * Runs one task of an image, with the service's settings, network and roles but a different command: a migration, a one-off job.
 * Waits for it and prints its log. Its task definition is in its own family (`FAMILY-task`) and is deregistered when
 * the task has ended: the service's family is left as it is.
 *
 * @param options.image by digest
 * @returns if the command exited with 0
 * @throws TaskError that begins with `failed` if it did not, or with `timed out` (the task is stopped then); UserError if it could not
 *   be run
 */
export async function runTask(aws: Aws, options: RunOptions): Promise<RunOutcome> {
  const { command, timeoutSeconds = 900, print = console.log } = options
  const target = await openService(aws, options)
  return explained(errorContext(target), async () => {
    const { service, patch } = await planDeploy(aws, options)
    const { container } = patch
    const definition = oneOff(patch.registration, container, command)
    const earlier = options.once === undefined ? [] : await startedBy(target, options.once)
    const done = earlier.find(task => exitCodeOf(task, container) === 0)
    if (done) return conclude(done, container, command)
    const running = earlier.find(({ lastStatus }) => lastStatus !== "STOPPED")
    const before = earlier.flatMap(({ taskArn = "" }) => taskArn)
    if (running) return followTask(target, running, definition, container, options)
    const tags = service.propagateTags === "SERVICE" ? await serviceTags(target) : []
    const revision = await register(target, definition)
    try {
      const request = runRequest(target, service, revision, tags)
      const { once } = options
      const begun = Date.now()
      const task = await place(
        target,
        attempt => (once === undefined ? request : onlyOnce(request, once, [...before, `${attempt}`])),
        timeoutSeconds,
        print,
      )
      print(`task ${shortName(task.taskArn)} runs ${shortName(revision)}: ${command.join(" ")}`)
      const left = Math.max(1, timeoutSeconds - Math.round((Date.now() - begun) / 1000))
      const ended = await wait(target, task, definition, container, left, print)
      return conclude(ended, container, command)
    } finally {
      await deregister(target, revision, print)
    }
  })
}

/** Follows a task that another run has started, to its end. */
async function followTask(
  target: Target,
  task: Task,
  definition: Registration,
  container: string,
  { command, timeoutSeconds = 900, print = console.log }: RunOptions,
): Promise<RunOutcome> {
  print(`task ${shortName(task.taskArn)} of another run is already doing this; following it`)
  const ended = await wait(target, task, definition, container, timeoutSeconds, print)
  return conclude(ended, container, command)
}

/** The tasks that were started under a name, including those that have stopped (ECS shows them for about an hour). */
async function startedBy({ client, cluster }: Target, name: string): Promise<Task[]> {
  const lists = await Promise.all(
    (["RUNNING", "STOPPED"] as const).map(desiredStatus =>
      client.listTasks({ cluster, startedBy: name, desiredStatus }),
    ),
  )
  const tasks = lists.flatMap(({ taskArns = [] }) => taskArns)
  if (tasks.length === 0) return []
  return (await client.describeTasks({ cluster, tasks: tasks.slice(0, 100) })).tasks ?? []
}

/**
 * A request that starts one task, however many runs send it at once: ECS accepts a client token once, and tells everyone else which
 * task has it (RunTask, "Idempotency").
 *
 * @param before the tasks that were started under the name before and failed, and the number of this attempt: for a token that was sent,
 *   ECS repeats its answer, even that there is no capacity
 */
function onlyOnce(request: RunTaskRequest, name: string, before: string[]): RunTaskRequest {
  const clientToken = createHash("sha256")
    .update([name, ...before.sort()].join("\n"))
    .digest("hex")
  return { ...request, startedBy: name, clientToken }
}

/** The service's tags, without AWS's own, which cannot be set. */
async function serviceTags({ client, cluster, service }: Target): Promise<Tag[]> {
  const answer = await client.describeServices({ cluster, services: [service], include: ["TAGS"] })
  return (answer.services?.[0]?.tags ?? []).filter(({ key }) => !key?.startsWith("aws:"))
}

/** Deregisters the task's definition. The task is over, so an error here does not fail the run. */
async function deregister({ client }: Target, revision: string, print: (line: string) => void) {
  try {
    await client.deregisterTaskDefinition({ taskDefinition: revision })
  } catch (error) {
    print(`warning: could not deregister ${shortName(revision)}: ${(error as Error).message}`)
  }
}

/**
 * Starts a task. If there is no capacity for it now, this tries again until the time is up.
 *
 * @param requestFor the request of each attempt, the first of which is 0
 */
async function place(
  target: Target,
  requestFor: (attempt: number) => RunTaskRequest,
  timeoutSeconds: number,
  print: (line: string) => void,
): Promise<Task> {
  const until = Date.now() + timeoutSeconds * 1000
  for (let attempt = 0; ; attempt++) {
    const { task, reasons, again } = await start(target, requestFor(attempt))
    if (task) return task
    if (again === "at once") continue
    if (again !== "later" || Date.now() + placing * 1000 > until) throw unplaced(target, reasons)
    print(`ECS did not start the task (${reasons.join("; ")}); asking again in ${placing} s`)
    await new Promise(resolve => setTimeout(resolve, placing * 1000))
  }
}

/**
 * Asks for a task once. Gives it, or why there is none, and whether to ask again: later if there is no capacity, at once if an earlier
 * run used this token and got no task for it.
 */
async function start(
  { client }: Target,
  request: RunTaskRequest,
): Promise<{ task?: Task; reasons: string[]; again?: "later" | "at once" }> {
  // Thanks to the token, a repeated request, such as the SDK's own retry, does not start a second task.
  const answer = await client
    .runTask({ clientToken: randomUUID(), ...request })
    .catch(error => theirs(error) ?? Promise.reject(error))
  const task = answer.tasks?.[0]
  const failures = answer.failures ?? []
  return {
    task: task?.taskArn === undefined ? undefined : task,
    reasons: failures.map(({ reason, detail }) => [reason, detail].filter(Boolean).join(": ")),
    again: failures.some(({ reason }) => reason === usedToken)
      ? "at once"
      : failures.some(({ reason = "" }) => noCapacity.test(reason))
        ? "later"
        : undefined,
  }
}

function unplaced({ cluster, service }: Target, reasons: string[]): UserError {
  return new UserError(
    `failed: ECS did not start the task on ${cluster}.`,
    reasons.join("; "),
    `Check the capacity and network of the service "${service}": the task uses the same.`,
  )
}

/** The task that another request with the same client token has started, if it got one (RunTask, `ConflictException`). */
function theirs(error: Error & { resourceIds?: string[] }): RunTaskResponse | undefined {
  if (error.name !== "ConflictException") return undefined
  const [taskArn] = error.resourceIds ?? []
  return taskArn ? { tasks: [{ taskArn }] } : { failures: [{ reason: usedToken, detail: error.message }] }
}

/** Waits for a task to end, printing its log as it comes. */
async function wait(
  target: Target,
  task: Task,
  definition: Registration,
  container: string,
  timeoutSeconds: number,
  print: (line: string) => void,
): Promise<Task> {
  const start = Date.now()
  const printLog = await logPrinter(target, task, definition, container, print)
  let last = ""
  for (;;) {
    try {
      const now = await describeTask(target, task)
      if (now?.lastStatus !== last)
        print(`task ${shortName(task.taskArn).slice(0, 8)}: ${now?.lastStatus ?? "not listed yet"}`)
      last = now?.lastStatus ?? ""
      await printLog()
      if (now?.lastStatus === "STOPPED") {
        // CloudWatch shows the last lines of a log a moment after the task has ended.
        await new Promise(resolve => setTimeout(resolve, interval * 1000))
        await printLog()
        return now
      }
    } catch (error) {
      if (!passing(error)) throw error
      print(`AWS did not answer (${(error as Error).name}); asking again`)
    }
    if ((Date.now() - start) / 1000 >= timeoutSeconds) throw await stop(target, task, timeoutSeconds)
    await new Promise(resolve => setTimeout(resolve, interval * 1000))
  }
}

async function describeTask({ client, cluster }: Target, { taskArn }: Task): Promise<Task | undefined> {
  const answer = await client.describeTasks({ cluster, tasks: [taskArn as string] })
  return answer.tasks?.[0]
}

/** Prints what a container has logged since the last call. */
async function logPrinter(
  target: Target,
  task: Task,
  definition: Registration,
  container: string,
  print: (line: string) => void,
): Promise<() => Promise<void>> {
  const found = definition.containerDefinitions?.find(({ name }) => name === container)
  const stream =
    found &&
    logStream(
      found,
      task.taskArn as string,
      task.containers?.find(it => it.name === container),
    )
  if (stream === undefined) {
    print(`its log is not shown: container "${container}" does not log to CloudWatch with a stream prefix`)
    return async () => {}
  }
  const client = await logsClient(target.aws, stream)
  let from = "start"
  let refused = false
  return async () => {
    if (refused) return
    try {
      for (let page = 0; page < logPages; page++) {
        const part = await readLog(client, stream, 1000, from)
        for (const line of part.lines) print(`  | ${line}`)
        if (part.next === undefined || part.next === from) return // The end, for now.
        from = part.next
      }
    } catch (error) {
      refused = true
      print(`its log is not shown: ${(error as Error).message}`)
    }
  }
}

async function stop({ client, cluster }: Target, { taskArn }: Task, seconds: number): Promise<UserError> {
  const name = shortName(taskArn)
  try {
    await client.stopTask({ cluster, task: taskArn, reason: `ecs-release: timed out after ${seconds} s` })
  } catch (error) {
    return new TaskError(
      `timed out after ${seconds} s: the task ${name} could not be stopped and keeps running.`,
      (error as Error).message,
      `Stop it: aws ecs stop-task --cluster ${cluster} --task ${name}`,
    )
  }
  return new TaskError(
    `timed out after ${seconds} s: the task ${name} was stopped.`,
    "",
    "Give it more time with --timeout, or check its log for what it was waiting for.",
  )
}

/** How a task ended, in words. Pure. */
export function conclude(task: Task, container: string, command: string[]): RunOutcome {
  const id = shortName(task.taskArn)
  const { exitCode, reason } = task.containers?.find(({ name }) => name === container) ?? {}
  if (exitCode === 0) return { exitCode, task: id, text: `completed: ${command.join(" ")} (task ${id})` }
  const what = exitCode === undefined ? "the command did not finish" : `the command exited ${exitCode}`
  throw new TaskError(
    `failed: ${what}: ${command.join(" ")} (task ${id})`,
    [task.stoppedReason, reason].filter(Boolean).join("; "),
    "Fix it and run again; this step deployed nothing.",
  )
}

function exitCodeOf(task: Task, container: string): number | undefined {
  return task.containers?.find(({ name }) => name === container)?.exitCode
}
