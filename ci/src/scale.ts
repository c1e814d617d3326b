import type { Aws } from "./aws/clients.js"
import { explained, passing } from "./aws/errors.js"
import { describeRevision } from "./ecs/revision.js"
import {
  assertDeployable,
  describeService,
  errorContext,
  openService,
  primaryOf,
  revisionOf,
  type Target,
} from "./ecs/service.js"
import { failures, report, stoppedTasks } from "./ecs/stopped-tasks.js"
import { secondsToNextPoll } from "./ecs/wait.js"
import { UserError } from "./lib/errors.js"
import type { ServiceRef } from "./settings.js"

/** How to scale a service. */
export type ScaleOptions = {
  /** The number of tasks that it should run. */
  to: number
  timeoutSeconds: number
  print: (line: string) => void
}

/** How long ECS may describe the service as it was before the update. */
const staleSeconds = 60

/**
 * Sets how many tasks a service should run, and waits until they do (ECS UpdateService, desiredCount). It makes no deployment.
 *
 * @returns the result as text
 * @throws UserError if they do not run within `timeoutSeconds`, with the causes of stopped tasks
 */
export async function scale(
  aws: Aws,
  where: ServiceRef,
  { to, timeoutSeconds, print }: ScaleOptions,
): Promise<string> {
  const { cluster, service: name } = where
  const target = await openService(aws, where)
  return explained(errorContext(target), async () => {
    const start = Date.now()
    const elapsed = () => (Date.now() - start) / 1000
    const before = await describeService(target)
    assertDeployable(before, target)
    if (before.schedulingStrategy === "DAEMON") {
      throw new UserError(
        `${cluster}/${name} is a daemon: it runs one task on each container instance.`,
        "",
        "Change the number of instances instead.",
      )
    }
    const from = before.desiredCount ?? 0
    if (from !== to) await target.client.updateService({ cluster, service: name, desiredCount: to })
    print(`${cluster}/${name}: from ${from} to ${to} tasks`)
    let shown = ""
    let isSeen = false
    for (;;) {
      const counts = await countsOf(target)
      isSeen ||= counts?.desired === to
      // ECS is eventually consistent: at first it may still describe the service as it was.
      const isStale = !isSeen && counts?.desired === from && elapsed() < staleSeconds
      if (counts && counts.desired !== to && !isStale) {
        throw new UserError(
          `${cluster}/${name} is set to ${tasksText(counts.desired)} by something else.`,
          "Application Auto Scaling or another person did that.",
          "Change the scaling limits, or find out who else scales the service.",
        )
      }
      if (counts && counts.running === to && counts.pending === 0) {
        return `${from === to ? "unchanged" : "completed"}: ${cluster}/${name} runs ${tasksText(to)}, after ${Math.round(elapsed())} s`
      }
      const text = counts
        ? `${counts.running} of ${to} running, ${counts.pending} pending`
        : "AWS did not answer"
      if (text !== shown) print(`${cluster}/${name}: ${text}`)
      shown = text
      if (elapsed() >= timeoutSeconds) throw await tooLate(target, to, text, new Date(start))
      await new Promise(resolve => setTimeout(resolve, secondsToNextPoll(elapsed()) * 1000))
    }
  })
}

/** The service's task counts; tasks of a deployment that is being replaced count as pending, because they will stop. */
async function countsOf(
  target: Target,
): Promise<{ desired: number; running: number; pending: number } | undefined> {
  try {
    const service = await describeService(target)
    const primary = primaryOf(service)
    const { desiredCount: desired = 0, runningCount = 0, pendingCount = 0 } = service
    const running = primary?.runningCount ?? runningCount
    return { desired, running, pending: pendingCount + runningCount - running }
  } catch (error) {
    if (!passing(error)) throw error
    return undefined
  }
}

async function tooLate(target: Target, to: number, text: string, since: Date): Promise<UserError> {
  const service = await describeService(target)
  const revision = await describeRevision(target, revisionOf(service))
  const causes = failures(await stoppedTasks(target), revision.arn, since)
  const details = await report(target, causes, revision.definition)
  return new UserError(
    `timed out: ${target.cluster}/${target.service} does not run ${tasksText(to)}: ${text}.`,
    details.join("\n"),
    `${causes[0]?.hint ?? "ECS keeps trying."} See 'status'; run the command again to wait longer (--timeout).`,
  )
}

function tasksText(count: number): string {
  return `${count} ${count === 1 ? "task" : "tasks"}`
}
