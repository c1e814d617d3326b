import type { Deployment, Service, ServiceDeployment } from "../aws/types.js"
import { hasPauseHook } from "./pause.js"
import {
  isCompleted,
  isRollback,
  newDeployment,
  primaryOf,
  rollsBack,
  shiftsTraffic,
  shortName,
} from "./service.js"

/** The deployment that is followed. */
export type Followed = {
  /** Its id, `ecs-svc/…`; undefined if ECS named none. */
  id?: string
  /** Ids of other deployments, to tell it apart while it has no id. */
  others?: ReadonlySet<string>
  /** ARN of the task definition that it deploys. */
  revision: string
}

/** What one poll of ECS showed. */
export type Observation = {
  service: Service
  /** The service deployment (ECS's record) of the followed deployment, if ECS keeps one and it was read. */
  record?: ServiceDeployment
  /** Seconds since the deployment was started or found. */
  elapsed: number
}

/** What has to be remembered from one poll to the next. */
export type WaitState = {
  /** The deployment was in ECS's list before. */
  seen: boolean
  /** Elapsed seconds when it was first seen to have failed. */
  failedAt?: number
  /** Why, in ECS's words. */
  reason?: string
  /** For how many polls in a row another deployment was primary. */
  replaced: number
  /** Ids of the events that were there before the deployment. */
  known: ReadonlySet<string>
}

/** How a deployment ended. */
export type Judgement = {
  word: "completed" | "rolled back" | "superseded" | "failed"
  why: string
  /** ARN of the task definition that the service now has. */
  now?: string
}

/** How long a read may lag behind UpdateService's own answer: ECS's reads are eventually consistent. Seconds. */
const lag = 60
/** How long ECS may take between a deployment's failure and its rollback. Seconds. */
const rollbackStart = 45

/** What is remembered at the start. */
export function initialState(known: Iterable<string> = []): WaitState {
  return { seen: false, replaced: 0, known: new Set(known) }
}

/**
 * Judges one poll of ECS: has the followed deployment ended, and how? Pure.
 *
 * The deployment is recognized by its id, never by "the service is stable": after a rollback or a newer deployment the service is
 * stable too. It can vanish from the list once its tasks are drained, so what was seen before counts.
 */
export function judge(
  followed: Followed,
  before: WaitState,
  observation: Observation,
): { state: WaitState; judgement?: Judgement } {
  const { service } = observation
  if (service.status !== "ACTIVE") {
    return { state: before, judgement: { word: "failed", why: `the service became ${service.status}` } }
  }
  const primary = primaryOf(service)
  const ours = followedIn(followed, service)
  const isOurs = primary !== undefined && primary === ours
  const state: WaitState = {
    ...before,
    seen: before.seen || ours !== undefined,
    replaced: isOurs || primary === undefined ? 0 : before.replaced + 1,
  }
  const record = observation.record && byServiceDeployment(observation.record, primary, isOurs)
  if (record === "wait") return { state: failing(state, observation, observation.record?.rollback?.reason) }
  if (record !== undefined) return { state, judgement: record }
  if (observation.record && shiftsTraffic(service)) return { state }

  if (ours && isCompleted(service, ours)) {
    return { state, judgement: { word: "completed", why: "", now: ours.taskDefinition } }
  }
  if (isOurs && ours?.rolloutState === "FAILED")
    return stuck(failing(state, observation, ours.rolloutStateReason), observation)
  if (isOurs || primary === undefined) return { state }
  return replacedBy(primary, ours, state, observation, followed)
}

/** Whether the next poll should also read the service deployment: if only that can tell, or tell for certain. */
export function wantsServiceDeployment(followed: Followed, service: Service): boolean {
  if (shiftsTraffic(service) || hasPauseHook(service)) return true
  const primary = primaryOf(service)
  const ours = followedIn(followed, service)
  return primary !== undefined && (primary !== ours || ours.rolloutState === "FAILED")
}

/** The followed deployment in the service's list. */
export function followedIn({ id, others, revision }: Followed, service: Service): Deployment | undefined {
  if (id !== undefined) return service.deployments?.find(it => it.id === id)
  return newDeployment(service, revision, others ?? new Set())
}

/** How it ended according to ECS's own record (since October 2024). STOPPED means replaced if another deployment is primary. */
function byServiceDeployment(
  record: ServiceDeployment,
  primary: Deployment | undefined,
  isOurs: boolean,
): Judgement | "wait" | undefined {
  const now = primary?.taskDefinition
  const alarms = record.alarms?.triggeredAlarmNames ?? []
  const raised = alarms.length > 0 ? `alarms went off: ${alarms.join(", ")}` : undefined
  const why = [record.rollback?.reason ?? record.statusReason, raised].filter(Boolean).join("; ")
  switch (record.status) {
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
      if (isOurs) return { word: "failed", why: record.statusReason ?? "the deployment was stopped", now }
      return { word: "superseded", why: record.statusReason ?? "", now }
    default:
      return undefined
  }
}

function failing(state: WaitState, { elapsed }: Observation, reason: string | undefined): WaitState {
  return { ...state, failedAt: state.failedAt ?? elapsed, reason: reason ?? state.reason }
}

/** Failed and still primary: nothing has taken its place, or nothing ever will. */
function stuck(
  state: WaitState,
  { service, elapsed }: Observation,
): { state: WaitState; judgement?: Judgement } {
  const why = state.reason ?? "the deployment failed"
  const now = primaryOf(service)?.taskDefinition
  if (!rollsBack(service)) {
    return { state, judgement: { word: "failed", why: `${why}; the service has no automatic rollback`, now } }
  }
  if (elapsed - (state.failedAt ?? elapsed) < rollbackStart) return { state }
  const none = "ECS did not roll back: there is no completed deployment to go back to"
  return { state, judgement: { word: "failed", why: `${why}; ${none}`, now } }
}

/** Another deployment is primary: ECS's rollback of ours, or somebody's newer one. */
function replacedBy(
  primary: Deployment,
  ours: Deployment | undefined,
  state: WaitState,
  observation: Observation,
  { id }: Followed,
): { state: WaitState; judgement?: Judgement } {
  // Right after the update a look may still show the list from before it.
  if (!state.seen && observation.elapsed < lag) return { state: { ...state, replaced: 0 } }
  const failure = ours?.rolloutState === "FAILED" ? (ours.rolloutStateReason ?? "") : undefined
  const rollback = saidRollback(primary, observation.service, state, id)
  if (state.failedAt !== undefined || failure !== undefined || rollback !== undefined) {
    const known = failing(state, observation, state.reason ?? (failure || rollback))
    return rollingBack(primary, known, observation)
  }
  if (state.replaced < 2) return { state }
  const why = `deployment ${primary.id} (${shortName(primary.taskDefinition)}) took its place`
  return { state, judgement: { word: "superseded", why, now: primary.taskDefinition } }
}

function rollingBack(
  primary: Deployment,
  state: WaitState,
  { service }: Observation,
): { state: WaitState; judgement?: Judgement } {
  const why = state.reason ?? ""
  const now = primary.taskDefinition
  if (primary.rolloutState === "FAILED") {
    const both = `${why || "the deployment failed"}; the rollback failed too: ${primary.rolloutStateReason ?? "no reason given"}`
    return { state, judgement: { word: "failed", why: both, now } }
  }
  if (!isCompleted(service, primary)) return { state }
  return { state, judgement: { word: "rolled back", why, now } }
}

/** What ECS says about a rollback, in the primary's reason or in an event since the start; undefined if it says nothing. */
function saidRollback(
  primary: Deployment,
  service: Service,
  { known }: WaitState,
  id: string | undefined,
): string | undefined {
  if (isRollback(primary)) return primary.rolloutStateReason
  const event = service.events?.find(
    ({ id: eventId, message = "" }) =>
      !known.has(eventId ?? "") &&
      /deployment failed/i.test(message) &&
      // An event that names a deployment is about that one.
      (!/ecs-svc\//.test(message) || (id !== undefined && message.includes(id))),
  )
  return event?.message
}
