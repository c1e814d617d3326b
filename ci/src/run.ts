import type { RunTaskCommandInput, Service, Task, TaskDefinition } from "@aws-sdk/client-ecs"
import type { Aws } from "./aws.js"
import { explained, passing } from "./awserror.js"
import { type DeployOptions, planDeploy } from "./deploy.js"
import { UserError } from "./errors.js"
import { logStream, logsClient, readLog } from "./logs.js"
import { register } from "./revision.js"
import { asked, open, shortName, type Target } from "./service.js"

export type RunOptions = DeployOptions & {
  /** The command, in place of the image's. */
  command: string[]
  timeoutSeconds?: number
  print?: (line: string) => void
}

/** A task that ended well. */
export type RunOutcome = { exitCode: number; task: string; text: string }

const interval = 2

/** Everything to run a task as the service does: its network, its capacity, its platform. Pure. */
export function runRequest(
  { cluster }: { cluster: string },
  service: Service,
  taskDefinition: string,
  container: string,
  command: string[],
): RunTaskCommandInput {
  const strategy = service.capacityProviderStrategy ?? []
  return {
    cluster,
    taskDefinition,
    count: 1,
    startedBy: "ecs-release",
    overrides: { containerOverrides: [{ name: container, command }] },
    networkConfiguration: service.networkConfiguration,
    ...(strategy.length > 0 ? { capacityProviderStrategy: strategy } : { launchType: service.launchType }),
    ...(service.platformVersion && { platformVersion: service.platformVersion }),
    ...(service.enableExecuteCommand && { enableExecuteCommand: true }),
  }
}

/**
 * Runs one task of an image, with the service's task definition, network and roles but another command: a migration, a
 * one-off job. Waits for it and prints its log.
 *
 * @param options.image by digest; a revision for it is registered where there is none, and the deployment uses the same
 * @returns where the command exited 0
 * @throws UserError that begins with `failed` where it did not, or with `timed out` (the task is stopped then)
 */
export async function runTask(aws: Aws, options: RunOptions): Promise<RunOutcome> {
  const { command, timeoutSeconds = 900, print = console.log } = options
  const target = await open(aws, options)
  return explained(asked(target), async () => {
    const { action, service, current, patch } = await planDeploy(aws, options)
    const reused = action.kind === "deploy" ? action.reuse?.arn : current.arn
    const revision = reused ?? (await register(target, patch.registration))
    const task = await start(target, runRequest(target, service, revision, patch.container, command))
    print(`task ${shortName(task.taskArn)} runs ${shortName(revision)}: ${command.join(" ")}`)
    const ended = await wait(target, task, patch.registration, patch.container, timeoutSeconds, print)
    return conclude(ended, patch.container, command)
  })
}

async function start({ client, cluster, service }: Target, request: RunTaskCommandInput): Promise<Task> {
  const { RunTaskCommand } = await import("@aws-sdk/client-ecs")
  const { randomUUID } = await import("node:crypto")
  // The token makes a repeated request, such as the SDK's own retry, start no second task.
  const answer = await client.send(new RunTaskCommand({ ...request, clientToken: randomUUID() }))
  const task = answer.tasks?.[0]
  if (task?.taskArn !== undefined) return task
  const reasons = (answer.failures ?? []).map(({ reason, detail }) =>
    [reason, detail].filter(Boolean).join(": "),
  )
  throw new UserError(
    `failed: ECS did not start the task on ${cluster}.`,
    reasons.join("; "),
    `Check the capacity and network of the service "${service}": the task uses the same.`,
  )
}

/** Waits for a task's end, printing its log as it comes. */
async function wait(
  target: Target,
  task: Task,
  definition: TaskDefinition,
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
        // CloudWatch shows a log's last lines a moment after the task's end.
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
  const { DescribeTasksCommand } = await import("@aws-sdk/client-ecs")
  const answer = await client.send(new DescribeTasksCommand({ cluster, tasks: [taskArn as string] }))
  return answer.tasks?.[0]
}

/** Prints what a container has logged since the last call. */
async function logPrinter(
  target: Target,
  task: Task,
  definition: TaskDefinition,
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
      for (;;) {
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
  const { StopTaskCommand } = await import("@aws-sdk/client-ecs")
  await client.send(
    new StopTaskCommand({ cluster, task: taskArn, reason: `ecs-release: timed out after ${seconds} s` }),
  )
  return new UserError(
    `timed out after ${seconds} s: the task ${shortName(taskArn)} was stopped.`,
    "",
    "Give it more time with --timeout, or look at its log for what it waits for.",
  )
}

/** The end of a task in words. Pure. */
export function conclude(task: Task, container: string, command: string[]): RunOutcome {
  const id = shortName(task.taskArn)
  const { exitCode, reason } = task.containers?.find(({ name }) => name === container) ?? {}
  if (exitCode === 0) return { exitCode, task: id, text: `completed: ${command.join(" ")} (task ${id})` }
  const what =
    exitCode === undefined ? "the command did not run to its end" : `the command exited ${exitCode}`
  throw new UserError(
    `failed: ${what}: ${command.join(" ")} (task ${id})`,
    [task.stoppedReason, reason].filter(Boolean).join("; "),
    "Mend it and run again; nothing was deployed by this step.",
  )
}
