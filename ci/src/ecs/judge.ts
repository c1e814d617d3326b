import type { Deployment, Service, ServiceDeployment } from "@aws-sdk/client-ecs"
import { isCompleted, newDeployment, primaryOf, rollsBack, shiftsTraffic, shortName } from "./service.js"

/** The deployment that is followed. */
export type Followed = {
  /** Its id, `ecs-svc/…`; undefined where ECS named none. */
  id?: string
  /** Ids of deployments that are others, which tells it apart while it has no id. */
  others?: ReadonlySet<string>
  /** ARN of the task definition that it brings. */
  revision: string
}

/** What one look at ECS showed. */
export type Sight = {
  service: Service
  /** The service deployment of the followed one, where ECS keeps such and it was asked for. */
  native?: ServiceDeployment
  /** Seconds since the deployment was started or found. */
  elapsed: number
}

/** What has to be remembered from one look to the next. */
export type Memory = {
  /** The deployment was in ECS's list before. */
  seen: boolean
  /** Elapsed seconds when it was first seen to have failed. */
  failedAt?: number
  /** Why, in ECS's words. */
  reason?: string
  /** How many looks in a row another deployment was primary. */
  replaced: number
  /** Ids of the events that stood there before the deployment. */
  known: ReadonlySet<string>
}

/** How a deployment ended. */
export type Verdict = {
  word: "completed" | "rolled back" | "superseded" | "failed"
  why: string
  /** ARN of the task definition that the service now has. */
  now?: string
}

/** How long a look may lag behind UpdateService's own answer: ECS's reads are eventually consistent. Seconds. */
const lag = 60
/** How long ECS may take between a deployment's failure and its rollback. Seconds. */
const rollbackStart = 45

/** What is remembered at the start. */
export function freshMemory(known: Iterable<string> = []): Memory {
  return { seen: false, replaced: 0, known: new Set(known) }
}

/**
 * Judges one look at ECS: has the followed deployment ended, and how? Pure.
 *
 * The deployment is told by its id, never by "the service is stable": after a rollback or a newer deployment the service is
 * stable too. It can vanish from the list once its tasks are drained, so what was seen before counts.
 */
export function judge(
  followed: Followed,
  before: Memory,
  sight: Sight,
): { memory: Memory; verdict?: Verdict } {
  const { service } = sight
  if (service.status !== "ACTIVE") {
    return { memory: before, verdict: { word: "failed", why: `the service became ${service.status}` } }
  }
  const primary = primaryOf(service)
  const ours = find(followed, service)
  const isOurs = primary !== undefined && primary === ours
  const memory: Memory = {
    ...before,
    seen: before.seen || ours !== undefined,
    replaced: isOurs || primary === undefined ? 0 : before.replaced + 1,
  }
  const native = sight.native && byServiceDeployment(sight.native, primary, isOurs)
  if (native === "wait") return { memory: failing(memory, sight, sight.native?.rollback?.reason) }
  if (native !== undefined) return { memory, verdict: native }
  if (sight.native && shiftsTraffic(service)) return { memory }

  if (ours && isCompleted(service, ours)) {
    return { memory, verdict: { word: "completed", why: "", now: ours.taskDefinition } }
  }
  if (isOurs && ours?.rolloutState === "FAILED")
    return stuck(failing(memory, sight, ours.rolloutStateReason), sight)
  if (isOurs || primary === undefined) return { memory }
  return replacedBy(primary, ours, memory, sight, followed)
}

/** Whether the next look should ask for the service deployment too: where it alone tells, or tells for certain. */
export function wantsServiceDeployment(followed: Followed, service: Service): boolean {
  if (shiftsTraffic(service)) return true
  const primary = primaryOf(service)
  const ours = find(followed, service)
  return primary !== undefined && (primary !== ours || ours.rolloutState === "FAILED")
}

/** The followed deployment in the service's list. */
export function find({ id, others, revision }: Followed, service: Service): Deployment | undefined {
  if (id !== undefined) return service.deployments?.find(it => it.id === id)
  return newDeployment(service, revision, others ?? new Set())
}

/** The end by ECS's own record (since October 2024). STOPPED means replaced where another deployment is primary. */
function byServiceDeployment(
  native: ServiceDeployment,
  primary: Deployment | undefined,
  isOurs: boolean,
): Verdict | "wait" | undefined {
  const now = primary?.taskDefinition
  const why = native.rollback?.reason ?? native.statusReason ?? ""
  switch (native.status) {
    case "SUCCESSFUL":
      return { word: "completed", why: "", now }
    case "ROLLBACK_SUCCESSFUL":
      return { word: "rolled back", why, now }
    case "ROLLBACK_FAILED":
      return { word: "failed", why: `${why || "the deployment failed"}; ECS's rollback failed too`, now }
    case "ROLLBACK_REQUESTED":
    case "ROLLBACK_IN_PROGRESS":
      return "wait"
    case "STOPPED":
      if (isOurs) return { word: "failed", why: native.statusReason ?? "the deployment was stopped", now }
      return { word: "superseded", why: native.statusReason ?? "", now }
    default:
      return undefined
  }
}

function failing(memory: Memory, { elapsed }: Sight, reason: string | undefined): Memory {
  return { ...memory, failedAt: memory.failedAt ?? elapsed, reason: reason ?? memory.reason }
}

/** Failed and still primary: nothing took its place, yet or for good. */
function stuck(memory: Memory, { service, elapsed }: Sight): { memory: Memory; verdict?: Verdict } {
  const why = memory.reason ?? "the deployment failed"
  const now = primaryOf(service)?.taskDefinition
  if (!rollsBack(service)) {
    return { memory, verdict: { word: "failed", why: `${why}; the service has no automatic rollback`, now } }
  }
  if (elapsed - (memory.failedAt ?? elapsed) < rollbackStart) return { memory }
  const none = "ECS started no rollback: there is no completed deployment to go back to"
  return { memory, verdict: { word: "failed", why: `${why}; ${none}`, now } }
}

/** Another deployment is primary: ECS's rollback of ours, or somebody's newer one. */
function replacedBy(
  primary: Deployment,
  ours: Deployment | undefined,
  memory: Memory,
  sight: Sight,
  { id }: Followed,
): { memory: Memory; verdict?: Verdict } {
  // Right after the update a look may still show the list from before it.
  if (!memory.seen && sight.elapsed < lag) return { memory: { ...memory, replaced: 0 } }
  const failure = ours?.rolloutState === "FAILED" ? (ours.rolloutStateReason ?? "") : undefined
  const told = saidRollback(primary, sight.service, memory, id)
  if (memory.failedAt !== undefined || failure !== undefined || told !== undefined) {
    const known = failing(memory, sight, memory.reason ?? (failure || told))
    return rollingBack(primary, known, sight)
  }
  if (memory.replaced < 2) return { memory }
  const why = `deployment ${primary.id} (${shortName(primary.taskDefinition)}) took its place`
  return { memory, verdict: { word: "superseded", why, now: primary.taskDefinition } }
}

function rollingBack(
  primary: Deployment,
  memory: Memory,
  { service }: Sight,
): { memory: Memory; verdict?: Verdict } {
  const why = memory.reason ?? ""
  const now = primary.taskDefinition
  if (primary.rolloutState === "FAILED") {
    const both = `${why || "the deployment failed"}; the rollback failed too: ${primary.rolloutStateReason ?? "no reason given"}`
    return { memory, verdict: { word: "failed", why: both, now } }
  }
  if (!isCompleted(service, primary)) return { memory }
  return { memory, verdict: { word: "rolled back", why, now } }
}

/** What ECS says of a rollback, in the primary's reason or in an event since the start; undefined where it says nothing. */
function saidRollback(
  primary: Deployment,
  service: Service,
  { known }: Memory,
  id: string | undefined,
): string | undefined {
  if (/roll(ing|ed)?[ -]?back/i.test(primary.rolloutStateReason ?? "")) return primary.rolloutStateReason
  const event = service.events?.find(
    ({ id: eventId, message = "" }) =>
      !known.has(eventId ?? "") &&
      /deployment failed/i.test(message) &&
      // An event that names a deployment is about that one.
      (!/ecs-svc\//.test(message) || (id !== undefined && message.includes(id))),
  )
  return event?.message
}
