import type { Deployment, Service, ServiceDeployment } from "../aws/types.js"
import { type Followed, followedIn, type Observation } from "./judge.js"
import { describePause, pauseOf } from "./pause.js"
import { stageMeaning } from "./service-deployment.js"

/** What was already printed. */
export type Printed = {
  events: ReadonlySet<string>
  counts?: string
  stage?: string
  status?: string
  traffic?: string
  /** Id of the PAUSE hook that the deployment waits at. */
  hook?: string
}

/**
 * The lines to print after one poll of ECS: each new event once, and the task counts and a traffic shift's stage if they
 * changed. Pure.
 *
 * @param printed what earlier polls printed
 */
export function progress(
  followed: Followed,
  printed: Printed,
  { service, record }: Observation,
): { printed: Printed; lines: string[] } {
  const events = (service.events ?? [])
    .filter(({ id }) => id !== undefined && !printed.events.has(id))
    .reverse()
  const counts = countsOf(followed, service)
  const pause = pauseOf(record)
  const next: Printed = {
    events:
      events.length === 0
        ? printed.events
        : new Set([...printed.events, ...events.map(({ id }) => id ?? "")]),
    counts,
    stage: record?.lifecycleStage ?? printed.stage,
    status: record?.status ?? printed.status,
    traffic: trafficOf(record) ?? printed.traffic,
    hook: pause?.hookId ?? printed.hook,
  }
  const lines = [
    ...events.map(({ message = "" }) => message.replace(`(service ${service.serviceName})`, "ECS:")),
    ...(next.status !== printed.status && !/^(PENDING|IN_PROGRESS|SUCCESSFUL)$/.test(next.status ?? "")
      ? [`service deployment: ${next.status}${because(record)}`]
      : []),
    ...(next.stage !== printed.stage ? [stageLine(service, next.stage)] : []),
    ...(next.traffic !== printed.traffic ? [`production traffic on the new tasks: ${next.traffic}`] : []),
    ...(counts !== printed.counts ? [counts] : []),
    ...(pause && pause.hookId !== printed.hook ? [`waiting for ${describePause(pause)}`] : []),
  ]
  return { printed: next, lines }
}

function countsOf(followed: Followed, service: Service): string {
  const ours = followedIn(followed, service)
  const others = (service.deployments ?? []).filter(it => it !== ours && (it.runningCount ?? 0) > 0)
  const old = others.reduce((sum, { runningCount = 0 }) => sum + runningCount, 0)
  return `new tasks: ${ours ? taskCounts(ours) : "none"}${old > 0 ? `; other tasks: ${old} running` : ""}`
}

/** `1 of 2 running, 1 pending, 1 failed`. */
export function taskCounts({
  runningCount = 0,
  desiredCount = 0,
  pendingCount = 0,
  failedTasks = 0,
}: Deployment): string {
  const parts = [`${runningCount} of ${desiredCount} running`]
  if (pendingCount > 0) parts.push(`${pendingCount} pending`)
  if (failedTasks > 0) parts.push(`${failedTasks} failed`)
  return parts.join(", ")
}

function stageLine({ deploymentConfiguration }: Service, stage: string | undefined): string {
  const minutes = stage === "BAKE_TIME" ? deploymentConfiguration?.bakeTimeInMinutes : undefined
  const bake = minutes === undefined ? "" : ` for ${minutes} min`
  return `stage ${stage}: ${stageMeaning(stage ?? "")}${bake}`
}

function trafficOf(record: ServiceDeployment | undefined): string | undefined {
  const weight = record?.targetServiceRevision?.requestedProductionTrafficWeight
  return weight === undefined ? undefined : `${weight} %`
}

function because(record: ServiceDeployment | undefined): string {
  const reason = record?.rollback?.reason ?? record?.statusReason
  return reason ? `: ${reason}` : ""
}
