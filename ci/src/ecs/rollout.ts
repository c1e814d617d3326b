import type { Deployment, Service, TaskDefinition } from "@aws-sdk/client-ecs"
import { UserError } from "../lib/errors.js"
import { isNewer } from "../lib/semver.js"
import { completed, type Deployed, type DeployResult, deployError } from "./result.js"
import { describeRevision, note, readRevision } from "./revision.js"
import { describeService, isCompleted, primaryOf, shortName, type Target, updateService } from "./service.js"
import { completedTag, rolledBackTag } from "./task-definition.js"
import { follow } from "./wait.js"

/** What may stop a deployment at the last moment, right before UpdateService. */
export type Guards = {
  /** Leave a newer version alone, if the service has one by then. */
  keepNewer?: boolean
  /** Called last of all; it throws to stop the deployment. */
  beforeUpdate?: () => Promise<void>
}

/** Another run released a newer version meanwhile: nothing was deployed, and that is as it should be. */
export class Overtaken extends UserError {}

/** A task definition on its way to a service. */
export type Rollout = Guards & {
  /** ARN of the task definition. */
  revision: string
  definition: TaskDefinition
  version: string
  commit?: string
  container?: string
  /** A deployment that brings it already: it is followed and no other is started. */
  running?: Deployment
  /** Start a deployment although the service has the task definition already. */
  force?: boolean
}

/** How long to follow, and where the lines go. */
export type Watch = { timeoutSeconds: number; print: (line: string) => void }

/**
 * Brings a task definition to a service, or finds the deployment that does, and follows it to its end. The end is noted on the
 * task definition, for `rollback` and for a later release of the same commit.
 *
 * @param service the service as it was before
 * @throws DeployError for every end but `completed`
 */
export async function rollOut(
  target: Target,
  service: Service,
  rollout: Rollout,
  { timeoutSeconds, print }: Watch,
): Promise<DeployResult> {
  const { revision } = rollout
  const others = new Set((service.deployments ?? []).flatMap(({ id }) => id ?? []))
  const deployment = rollout.running ?? (await start(target, service, rollout, others, print))
  const since = deployment?.createdAt
  const deployed: Deployed = { ...rollout, deploymentId: deployment?.id, since }
  const before = (service.events ?? []).filter(
    ({ createdAt }) => !rollout.running || !since || !createdAt || createdAt < since,
  )
  const ending = await follow(
    target,
    { id: deployment?.id, others, revision },
    { knownEvents: before.flatMap(({ id }) => id ?? []), since, timeoutSeconds, print },
  )
  const now = new Date().toISOString()
  if (ending.word === "completed") {
    await note(target, revision, { [completedTag]: now }, [rolledBackTag], print)
    return completed(target, deployed, ending)
  }
  if (ending.word === "rolled back") await note(target, revision, { [rolledBackTag]: now }, [], print)
  throw await deployError(target, deployed, ending)
}

async function start(
  target: Target,
  service: Service,
  rollout: Rollout,
  others: ReadonlySet<string>,
  print: Watch["print"],
): Promise<Deployment | undefined> {
  const { revision, version, force } = rollout
  await rollout.beforeUpdate?.()
  if (rollout.keepNewer) await refuseNewer(target, rollout)
  const other = primaryOf(service)
  if (other && !isCompleted(service, other) && other.rolloutState !== "FAILED") {
    print(
      `deployment ${other.id} (${shortName(other.taskDefinition)}) is in progress: this one takes its place`,
    )
  }
  const deployment = await updateService(target, revision, others, force ?? false)
  const id = deployment?.id ? `deployment ${deployment.id}` : "a deployment"
  print(`started ${id} of ${version} (${shortName(revision)}) on ${target.cluster}/${target.service}`)
  return deployment
}

async function refuseNewer(target: Target, { version, container }: Rollout): Promise<void> {
  const service = await describeService(target)
  const arn = primaryOf(service)?.taskDefinition ?? service.taskDefinition ?? ""
  const running = readRevision(await describeRevision(target, arn), container)
  if (!isNewer(running.version, version)) return
  throw new Overtaken(
    `superseded: ${target.cluster}/${target.service} has ${running.version}, which is newer than ${version}; nothing is deployed`,
    "",
    "To run an older version on purpose: rollback --to, or deploy --image",
  )
}
