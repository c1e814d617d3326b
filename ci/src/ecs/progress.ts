import type { Deployment, Service, ServiceDeployment } from "@aws-sdk/client-ecs"
import { type Followed, find, type Observation } from "./judge.js"

/** What was already printed. */
export type Printed = {
  events: ReadonlySet<string>
  counts?: string
  stage?: string
  status?: string
  traffic?: string
}

/** What happens in each stage of a traffic-shifting deployment (ECS API reference, `ServiceDeployment`). */
const stages: Record<string, string> = {
  RECONCILE_SERVICE: "sorting out revisions left by an earlier deployment",
  PRE_SCALE_UP: "before the new tasks start",
  SCALE_UP: "new tasks start",
  POST_SCALE_UP: "new tasks run, no traffic yet",
  TEST_TRAFFIC_SHIFT: "test traffic moves to the new tasks",
  POST_TEST_TRAFFIC_SHIFT: "test traffic is on the new tasks",
  PRODUCTION_TRAFFIC_SHIFT: "production traffic moves to the new tasks",
  POST_PRODUCTION_TRAFFIC_SHIFT: "production traffic is on the new tasks",
  BAKE_TIME: "both revisions run, ECS can still go back",
  CLEAN_UP: "old tasks stop",
}

/**
 * The lines to print after one look at ECS: each new event once, the task counts and a traffic shift's stage if they
 * changed. Pure.
 *
 * @param printed what earlier looks printed
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
  const next: Printed = {
    events:
      events.length === 0
        ? printed.events
        : new Set([...printed.events, ...events.map(({ id }) => id ?? "")]),
    counts,
    stage: record?.lifecycleStage ?? printed.stage,
    status: record?.status ?? printed.status,
    traffic: trafficOf(record) ?? printed.traffic,
  }
  const lines = [
    ...events.map(({ message = "" }) => message.replace(`(service ${service.serviceName})`, "ECS:")),
    ...(next.status !== printed.status && !/^(PENDING|IN_PROGRESS|SUCCESSFUL)$/.test(next.status ?? "")
      ? [`service deployment: ${next.status}${because(record)}`]
      : []),
    ...(next.stage !== printed.stage ? [stageLine(service, next.stage)] : []),
    ...(next.traffic !== printed.traffic ? [`production traffic on the new tasks: ${next.traffic}`] : []),
    ...(counts !== printed.counts ? [counts] : []),
  ]
  return { printed: next, lines }
}

function countsOf(followed: Followed, service: Service): string {
  const ours = find(followed, service)
  const others = (service.deployments ?? []).filter(it => it !== ours && (it.runningCount ?? 0) > 0)
  const old = others.reduce((sum, { runningCount = 0 }) => sum + runningCount, 0)
  return `new tasks: ${ours ? tasks(ours) : "none"}${old > 0 ? `; other tasks: ${old} running` : ""}`
}

/** `1 of 2 running, 1 pending, 1 failed`. */
export function tasks({
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
  return `stage ${stage}: ${stages[stage ?? ""] ?? "under way"}${bake}`
}

function trafficOf(record: ServiceDeployment | undefined): string | undefined {
  const weight = record?.targetServiceRevision?.requestedProductionTrafficWeight
  return weight === undefined ? undefined : `${weight} %`
}

function because(record: ServiceDeployment | undefined): string {
  const reason = record?.rollback?.reason ?? record?.statusReason
  return reason ? `: ${reason}` : ""
}
