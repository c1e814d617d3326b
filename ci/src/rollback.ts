import semver from "semver"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import type { Service } from "./aws/types.js"
import { deploy } from "./deploy.js"
import { imageNamed, isInRepository, type NamedImage } from "./ecr/image.js"
import { DeployError, type DeployResult, deployError } from "./ecs/result.js"
import {
  describeRevision,
  type Revision,
  readRevision,
  recentRevisions,
  tagRevision,
} from "./ecs/revision.js"
import { type Past, readPast } from "./ecs/rolled-back.js"
import { rollOut } from "./ecs/rollout.js"
import {
  assertDeployable,
  describeService,
  errorContext,
  inProgress,
  isRollback,
  openService,
  revisionOf,
  type Target,
} from "./ecs/service.js"
import { findServiceDeployment, stopServiceDeployment } from "./ecs/service-deployment.js"
import { rolledBackTag } from "./ecs/task-definition.js"
import { follow } from "./ecs/wait.js"
import { UserError } from "./lib/errors.js"
import { isNewer } from "./lib/semver.js"

export type RollbackOptions = {
  cluster: string
  service: string
  container?: string
  someContainers?: boolean
  /** Name of the ECR repository. */
  repository: string
  tagPrefix?: string
  /** The version, commit or digest to go to; the previous version if left out. */
  to?: string
  timeoutSeconds?: number
  print?: (line: string) => void
  /** Called once the version to go back to is known, before anything is changed. */
  begin?: (version: string) => void
}

/**
 * The previous version. Candidates are the versions whose newest revision is older than the current one, was not rolled back and did
 * not fail. Of these, it is the newest that is known to have completed a deployment, or else simply the newest. Pure.
 *
 * @param revisions the family's revisions, the newest first
 */
export function choosePrevious(
  current: Revision,
  revisions: Revision[],
  { succeeded, failed }: Past,
): Revision | undefined {
  const older = revisions.filter(
    ({ number, version }) =>
      number < current.number && semver.valid(version) !== null && version !== current.version,
  )
  // Only a version's newest revision says how it ended.
  const newest = older.filter((it, at) => older.findIndex(({ version }) => version === it.version) === at)
  const candidates = newest.filter(
    ({ arn, rolledBack }) => rolledBack === undefined && (succeeded.has(arn) || !failed.has(arn)),
  )
  return (
    candidates.find(({ arn, completed }) => completed !== undefined || succeeded.has(arn)) ?? candidates[0]
  )
}

/**
 * Goes back to the previous version, or to a named one, by deploying its image from ECR by digest. Builds nothing and makes no
 * version. During a deployment it stops that one: ECS goes back itself if it can, otherwise the previous revision is deployed.
 *
 * @returns `completed`, or `unchanged` if that version is already running
 * @throws UserError if there is no version to go to; DeployError as `deploy` does
 */
export async function rollback(aws: Aws, options: RollbackOptions): Promise<DeployResult> {
  const { container, repository, print = console.log, timeoutSeconds = 900 } = options
  const target = await openService(aws, options)
  return explained({ ...errorContext(target), repository }, async () => {
    const service = await describeService(target)
    assertDeployable(service, target)
    const arn = revisionOf(service)
    const current = readRevision(await describeRevision(target, arn), container)
    const named = options.to === undefined ? undefined : await imageNamed(aws, options, options.to)
    const to = named?.version
    const stopped = await stopDeployment(target, service, current, { ...options, to, print, timeoutSeconds })
    if (stopped) return stopped
    const back = named ?? (await previous(target, service, current, options))
    const { image, version, commit } = back
    print(`going from ${current.version ?? "an unknown version"} to ${version}`)
    options.begin?.(version)
    return marked(target, current, version, print, () =>
      deploy(aws, { ...options, image, version, commit, print, timeoutSeconds }),
    )
  })
}

/** Stops a deployment that is in progress; undefined if there is none, or if another version is wanted. */
async function stopDeployment(
  target: Target,
  service: Service,
  current: Revision,
  {
    container,
    to,
    begin,
    print,
    timeoutSeconds,
  }: Required<Pick<RollbackOptions, "print" | "timeoutSeconds">> & RollbackOptions,
): Promise<DeployResult | undefined> {
  const primary = inProgress(service)
  if (!primary) return undefined
  const others = (service.deployments ?? []).filter(it => it !== primary && it.rolloutState !== "FAILED")
  const source = others.find(it => it.rolloutState === "COMPLETED") ?? others.at(-1)
  if (isRollback(primary) && (to === undefined || to === current.version)) {
    print(`ECS is already going back to ${current.version}; following it`)
    const { definition } = await describeRevision(target, current.arn)
    const rollout = { revision: current.arn, definition, version: current.version ?? "?", running: primary }
    return rollOut(target, service, rollout, { timeoutSeconds, print })
  }
  if (source?.taskDefinition === undefined) return undefined
  const before = await describeRevision(target, source.taskDefinition)
  const back = readRevision(before, container)
  if (to !== undefined && to !== back.version) return undefined
  const version = back.version ?? "the previous version"
  print(`stopping deployment ${primary.id} of ${current.version}; going back to ${version}`)
  begin?.(version)
  return marked(target, current, back.version, print, async () => {
    const since = primary.createdAt
    const record = since && (await findServiceDeployment(target, current.arn, since))
    const { definition } = before
    if (record === undefined || !(await stopServiceDeployment(target, record))) {
      const rollout = { revision: back.arn, definition, version, commit: back.commit, container }
      return rollOut(target, service, rollout, { timeoutSeconds, print })
    }
    const followed = { id: primary.id, revision: current.arn }
    const knownEvents = (service.events ?? []).flatMap(({ id }) => id ?? [])
    const ending = await follow(target, followed, {
      knownEvents,
      since,
      serviceDeployment: record,
      timeoutSeconds,
      waitForApproval: true, // It was stopped, so a pause before that does not matter.
      print,
    })
    if (ending.word === "completed") return undefined // It finished before it could be stopped: go back from it.
    const deployed = { version, revision: back.arn, definition, deploymentId: primary.id }
    if (ending.word !== "rolled back") throw await deployError(target, deployed, ending)
    const { seconds } = ending
    const text = `completed: stopped ${current.version}; ${target.cluster}/${target.service} runs ${version} again, after ${Math.round(seconds)} s`
    return { word: "completed", text, version, revision: back.arn, deploymentId: primary.id, seconds }
  })
}

async function previous(
  target: Target,
  service: Service,
  current: Revision,
  options: RollbackOptions,
): Promise<NamedImage> {
  const { container } = options
  const family = current.arn.split("/").at(-1)?.split(":")[0] ?? ""
  const [revisions, record] = await Promise.all([
    recentRevisions(target, family, container),
    readPast(target, service),
  ])
  const found = choosePrevious(current, revisions, record)
  if (found?.version !== undefined) {
    const { image, version, commit } = found
    // If a stage pulls its images, they are in another stage's repository.
    if (image?.includes("@") && !(await isInRepository(target.aws, options.repository, image)))
      return { image, version, commit }
    return imageNamed(target.aws, options, version)
  }
  throw new UserError(
    `There is no version before ${current.version ?? "the running one"} on ${target.cluster}/${target.service}.`,
    `None of the last ${revisions.length} revisions of ${family} ran another version without a rollback.`,
    "Name one: --to X.Y.Z ('history' shows those in ECR).",
  )
}

/**
 * Does something that rolls a version back. This is recorded beforehand, so that even an interrupted rollback leaves the record; if no
 * deployment is started, or if it fails and the version stays, the record is removed. Going to a newer version does not count as a
 * rollback.
 */
async function marked<T>(
  target: Target,
  { arn, version }: Revision,
  to: string | undefined,
  print: (line: string) => void,
  goBack: () => Promise<T>,
): Promise<T> {
  if (semver.valid(version) === null || to === version || isNewer(to, version as string)) return goBack()
  await tagRevision(target, arn, { [rolledBackTag]: new Date().toISOString() }, [], print)
  try {
    return await goBack()
  } catch (error) {
    const stays = !(error instanceof DeployError) || error.word === "rolled back"
    if (stays) await tagRevision(target, arn, {}, [rolledBackTag], print)
    throw error
  }
}
