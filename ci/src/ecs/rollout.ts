import type { Deployment, Service, TaskDefinition } from "../aws/types.js"
import { UserError } from "../lib/errors.js"
import { isNewer } from "../lib/semver.js"
import { withPauseHooks } from "./pause.js"
import { completed, type Deployed, type DeployResult, deployError, paused } from "./result.js"
import { describeRevision, readRevision, register, tagRevision } from "./revision.js"
import {
  describeService,
  inProgress,
  primaryOf,
  revisionOf,
  shortName,
  type Target,
  updateService,
} from "./service.js"
import { failures } from "./stopped-tasks.js"
import {
  approvedByTag,
  causeTag,
  completedTag,
  copyOf,
  rejectedByTag,
  rejectedWhyTag,
  rolledBackTag,
  tagValue,
} from "./task-definition.js"
import { type Checkpoint, type FollowOptions, follow } from "./wait.js"

/** What can stop a deployment at the last moment, right before UpdateService. */
export type Guards = {
  /** If the service has a newer version by then, leave that alone. */
  keepNewer?: boolean
  /** Called last; it throws to stop the deployment. */
  beforeUpdate?: () => Promise<void>
}

/** Another run released a newer version in the meantime: nothing was deployed, which is right. */
export class Overtaken extends UserError {}

/** A task definition on its way to a service. */
export type Rollout = Guards & {
  /** ARN of the task definition. */
  revision: string
  definition: TaskDefinition
  version: string
  commit?: string
  container?: string
  /** A deployment that already brings it: that one is followed, and no other is started. */
  running?: Deployment
  /** Lifecycle stage at which a person has to approve. */
  approval?: string
  /** A check at a stage, which gets a PAUSE hook. */
  checkpoint?: Checkpoint
  /** The task definition was deployed before: the approval recorded then does not apply to this deployment. */
  reused?: boolean
  /** Start a deployment even if the service already has the task definition. */
  force?: boolean
}

/** How long to follow, whether to follow through pauses, and where to print. */
export type Watch = Pick<FollowOptions, "timeoutSeconds" | "waitForApproval" | "onPause" | "print">

/**
 * Deploys a task definition to a service, or finds the deployment that already does, and follows it to its end. The result is recorded
 * on the task definition, for `rollback` and for a later release of the same commit.
 *
 * @param service the service as it was before
 * @returns `completed`, or `paused` if ECS waits for a person
 * @throws DeployError for every other end
 */
export async function rollOut(
  target: Target,
  service: Service,
  rollout: Rollout,
  watch: Watch,
): Promise<DeployResult> {
  const { timeoutSeconds, print } = watch
  const others = new Set((service.deployments ?? []).flatMap(({ id }) => id ?? []))
  const { deployment, revision } = rollout.running
    ? { deployment: rollout.running, revision: rollout.revision }
    : await start(target, service, rollout, others, print)
  const since = deployment?.createdAt
  const deployed: Deployed = { ...rollout, revision, deploymentId: deployment?.id, since }
  const before = (service.events ?? []).filter(
    ({ createdAt }) => !rollout.running || !since || !createdAt || createdAt < since,
  )
  const ending = await follow(
    target,
    { id: deployment?.id, others, revision },
    { ...watch, checkpoint: rollout.checkpoint, knownEvents: before.flatMap(({ id }) => id ?? []), since },
  )
  if (ending.word === "paused") return paused(target, deployed, ending)
  const now = new Date().toISOString()
  if (ending.word === "completed") {
    await tagRevision(target, revision, { [completedTag]: now }, [rolledBackTag, causeTag], print)
    return completed(target, deployed, ending)
  }
  // After a failed restart ECS is back on the same revision, and that one stays good.
  if (ending.word === "rolled back") {
    deployed.rejected = await rejectionOf(target, revision)
    const [cause] = failures(ending.stopped, revision, since)
    const why = cause && { [causeTag]: tagValue(cause.text) }
    if (ending.now !== revision)
      await tagRevision(target, revision, { [rolledBackTag]: now, ...why }, [], print)
    else if (deployed.rejected)
      await tagRevision(target, revision, {}, [rejectedByTag, rejectedWhyTag], print)
  }
  const same = ending.word === "superseded" ? await bringsTheSame(target, rollout, ending.service) : undefined
  if (same) {
    print(
      `deployment ${same.running.id} of another run took over and deploys ${rollout.version} as well; following it`,
    )
    const left = Math.max(1, timeoutSeconds - Math.round(ending.seconds))
    return rollOut(target, ending.service, { ...rollout, ...same }, { ...watch, timeoutSeconds: left })
  }
  throw await deployError(target, deployed, ending)
}

/** Who rejected a deployment, and why; undefined if nobody did. If that cannot be read, the deployment's result is still reported. */
async function rejectionOf(target: Target, revision: string): Promise<string | undefined> {
  try {
    const { rejected } = readRevision(await describeRevision(target, revision))
    return rejected
  } catch {
    return undefined
  }
}

/** The service's deployment and its revision, if they bring the same image and version as a rollout. */
async function bringsTheSame(
  target: Target,
  { version, container, definition, revision }: Rollout,
  service: Service,
): Promise<{ running: Deployment; revision: string } | undefined> {
  const primary = primaryOf(service)
  if (primary?.taskDefinition === undefined) return undefined
  const registered = await describeRevision(target, primary.taskDefinition)
  const there = readRevision(registered, container)
  const ours = readRevision({ arn: revision, definition, tags: [] }, container)
  const isSame = there.version === version && there.image === ours.image
  return isSame ? { running: primary, revision: registered.arn } : undefined
}

async function start(
  target: Target,
  service: Service,
  rollout: Rollout,
  others: ReadonlySet<string>,
  print: Watch["print"],
): Promise<{ deployment?: Deployment; revision: string }> {
  const { version, force } = rollout
  await rollout.beforeUpdate?.()
  const same = rollout.keepNewer ? await lookAgain(target, rollout, others) : undefined
  if (same) {
    print(`deployment ${same.deployment.id} of another run is already deploying ${version}; following it`)
    return same
  }
  const other = inProgress(service)
  if (other) {
    print(
      `deployment ${other.id} (${shortName(other.taskDefinition)}) is in progress: this one takes its place`,
    )
  }
  const revision = await usable(target, rollout, print)
  if (force || rollout.reused) {
    await tagRevision(target, revision, {}, [approvedByTag, rejectedByTag, rejectedWhyTag], print)
  }
  const stages = [rollout.approval, rollout.checkpoint?.stage]
  const update = { force, configuration: withPauseHooks(service, stages) }
  const deployment = await updateService(target, revision, others, update)
  const id = deployment?.id ? `deployment ${deployment.id}` : "a deployment"
  print(`started ${id} of ${version} (${shortName(revision)}) on ${target.cluster}/${target.service}`)
  return { deployment, revision }
}

/** The rollout's revision, or a copy of it: a service cannot be updated to one that was deregistered (ECS DeregisterTaskDefinition). */
async function usable(
  target: Target,
  { revision, definition }: Rollout,
  print: Watch["print"],
): Promise<string> {
  if (definition.status !== "INACTIVE") return revision
  const { tags } = await describeRevision(target, revision)
  const copy = await register(target, copyOf(definition, tags))
  print(`${shortName(revision)} is deregistered: registered ${shortName(copy)}, which is the same`)
  return copy
}

/**
 * Looks once more at what the service has, right before it is updated.
 *
 * @returns the deployment of the same image and version that another run has started in the meantime
 * @throws Overtaken if a newer version is there
 */
async function lookAgain(
  target: Target,
  rollout: Rollout,
  others: ReadonlySet<string>,
): Promise<{ deployment: Deployment; revision: string } | undefined> {
  const { version, container } = rollout
  const service = await describeService(target)
  const primary = primaryOf(service)
  const there = readRevision(await describeRevision(target, revisionOf(service)), container)
  if (isNewer(there.released, version)) {
    throw new Overtaken(
      `superseded: ${target.cluster}/${target.service} has ${there.released}, which is newer than ${version}; nothing is deployed`,
      "",
      "To run an older version on purpose: rollback --to, or deploy --image",
    )
  }
  if (primary?.id === undefined || others.has(primary.id)) return undefined
  const same = await bringsTheSame(target, rollout, service)
  return same && { deployment: same.running, revision: same.revision }
}
