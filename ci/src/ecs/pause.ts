import type {
  DeploymentConfiguration,
  DeploymentLifecycleHook,
  DeploymentLifecycleHookStage,
  Service,
  ServiceDeployment,
} from "../aws/types.js"
import { utc } from "../lib/time.js"
import type { Target } from "./service.js"
import { describeServiceDeployment, type RecordedDeployment, stageMeaning } from "./service-deployment.js"

/** A deployment that waits for a person, at a lifecycle hook of type PAUSE (ECS developer guide, "Pause hooks"). */
export type Pause = {
  /** Id of the hook, for ContinueServiceDeployment. */
  hookId: string
  /** ARN of the service deployment. */
  serviceDeployment: string
  /** Lifecycle stage that the deployment has reached. */
  stage: string
  since?: Date
  until?: Date
  /** What ECS does if nobody answers until then. */
  otherwise: "CONTINUE" | "ROLLBACK"
}

/** How long ECS waits if the hook does not say: a day (ECS API reference, DeploymentLifecycleHookTimeoutConfiguration). Minutes. */
export const defaultTimeout = 1440

/** Whether a hook makes ECS wait for a person at a stage. */
function pausesAt(
  { targetType, lifecycleStages }: DeploymentLifecycleHook,
  stage: string | undefined,
): boolean {
  return targetType === "PAUSE" && Boolean(lifecycleStages?.some(it => it === stage))
}

/** Whether a deployment of this service may wait for a person. */
export function hasPauseHook({ deploymentConfiguration }: Service): boolean {
  return Boolean(deploymentConfiguration?.lifecycleHooks?.some(({ targetType }) => targetType === "PAUSE"))
}

/** The stages at which a deployment can wait for a person (ECS API reference, DeploymentLifecycleHook). */
export const pauseStages = [
  "RECONCILE_SERVICE",
  "PRE_SCALE_UP",
  "POST_SCALE_UP",
  "POST_TEST_TRAFFIC_SHIFT",
  "PRE_PRODUCTION_TRAFFIC_SHIFT",
  "POST_PRODUCTION_TRAFFIC_SHIFT",
]

/**
 * The new deployment configuration of a service that has to wait at stages; undefined if nothing needs to change. Everything else
 * in it stays as it is. Pure.
 */
export function withPauseHooks(
  { deploymentConfiguration }: Service,
  stages: (string | undefined)[],
): DeploymentConfiguration | undefined {
  const hooks = deploymentConfiguration?.lifecycleHooks ?? []
  const missing = [...new Set(stages)].flatMap(stage => {
    const isThere = hooks.some(hook => pausesAt(hook, stage))
    return stage === undefined || isThere ? [] : [stage as DeploymentLifecycleHookStage]
  })
  if (missing.length === 0) return undefined
  const added = missing.map(stage => ({ targetType: "PAUSE" as const, lifecycleStages: [stage] }))
  return { ...deploymentConfiguration, lifecycleHooks: [...hooks, ...added] }
}

/** Where a service deployment waits for a person; undefined if it does not. Pure. */
export function pauseOf(record: ServiceDeployment | undefined): Pause | undefined {
  if (record?.status !== "IN_PROGRESS" || record.serviceDeploymentArn === undefined) return undefined
  const hook = record.lifecycleHookDetails?.find(
    ({ targetType, status }) => targetType === "PAUSE" && status === "AWAITING_ACTION",
  )
  if (hook?.hookId === undefined) return undefined
  const stage = record.lifecycleStage ?? "an unknown stage"
  const { timeoutConfiguration } =
    record.deploymentConfiguration?.lifecycleHooks?.find(hook => pausesAt(hook, stage)) ?? {}
  const minutes = timeoutConfiguration?.timeoutInMinutes ?? defaultTimeout
  const until = hook.expiresAt
  return {
    hookId: hook.hookId,
    serviceDeployment: record.serviceDeploymentArn,
    stage,
    since: until && new Date(until.getTime() - minutes * 60_000),
    until,
    otherwise: hook.timeoutAction ?? timeoutConfiguration?.action ?? "ROLLBACK",
  }
}

/** The service's deployment that waits for a person, with its task definition. */
export async function findPause(
  target: Target,
  records: RecordedDeployment[],
): Promise<{ pause: Pause; taskDefinition?: string } | undefined> {
  const found = records.find(({ status }) => status === "IN_PROGRESS")
  if (found?.serviceDeploymentArn === undefined) return undefined
  const pause = pauseOf(await describeServiceDeployment(target, found.serviceDeploymentArn))
  return pause && { pause, taskDefinition: found.taskDefinition }
}

/** Lets a waiting deployment continue, or has ECS roll it back (ECS API reference, ContinueServiceDeployment). */
export async function resume(
  { client }: Target,
  { serviceDeployment: serviceDeploymentArn, hookId }: Pause,
  action: "CONTINUE" | "ROLLBACK",
): Promise<void> {
  await client.continueServiceDeployment({ serviceDeploymentArn, hookId, action })
}

/** `an approval at POST_SCALE_UP (the new tasks run), since …, until …; after that ECS rolls back by itself`. */
export function describePause({ stage, since, until, otherwise }: Pause): string {
  const times = [since && `since ${utc(since)}`, until && `until ${utc(until)}`].filter(Boolean)
  const then = otherwise === "CONTINUE" ? "continues" : "rolls back"
  const end = until ? `; after that ECS ${then} by itself` : ""
  return [`an approval at ${stage} (${stageMeaning(stage)})`, ...times].join(", ") + end
}
