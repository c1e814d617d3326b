import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import type { Deployment, Service } from "./aws/types.js"
import { assertInEcr } from "./ecr/image.js"
import type { DeployResult } from "./ecs/result.js"
import { describeRevision, type Registered, register, tagRevision } from "./ecs/revision.js"
import { type Guards, rollOut } from "./ecs/rollout.js"
import {
  assertDeployable,
  describeService,
  errorContext,
  isCompleted,
  openService,
  primaryOf,
  revisionOf,
  shortName,
  type Target,
} from "./ecs/service.js"
import {
  commitTag,
  completedTag,
  type Patch,
  patch,
  type Release,
  sameDefinition,
  versionTag,
} from "./ecs/task-definition.js"
import type { Checkpoint } from "./ecs/wait.js"

/** A release and where it goes. */
export type DeployOptions = Release & {
  cluster: string
  service: string
  /** Family of the task definition to take all settings from; the running one if left out. */
  template?: string
  /** Lifecycle stage at which a person has to approve. */
  approval?: string
  /** A check at a stage. */
  checkpoint?: Checkpoint
}

/** How to carry out a deployment. */
export type DeployRun = DeployOptions &
  Guards & {
    /** How long to follow, in seconds; ECS continues after that. */
    timeoutSeconds?: number
    /** Keep following while ECS waits for a person. */
    waitForApproval?: boolean
    /** Called for each pause, if the deployment is followed through it. */
    onPause?: (text: string) => void
    print?: (line: string) => void
  }

/** What a deployment would do. */
export type Action =
  /** The image and version are already running. */
  | { kind: "unchanged" }
  /** A deployment is already bringing them, such as one that an interrupted run left. */
  | { kind: "follow"; deployment: Deployment }
  /** Their last deployment failed and ECS left it like that: start it again. */
  | { kind: "again" }
  /** Start a deployment; if a matching revision is registered but unused, reuse it. */
  | { kind: "deploy"; reuse?: Registered }

/** Everything that is known before anything changes. */
export type DeployPlan = {
  action: Action
  /** The task definition to register, and how it differs. */
  patch: Patch
  current: Registered
  service: Service
  /** The plan in words. */
  text: string
}

/**
 * Decides what to do from what the service runs and what is registered. Pure.
 *
 * @param change the release applied to the primary deployment's task definition
 * @param latest the family's latest revision
 */
export function chooseAction(service: Service, change: Patch, latest: Registered): Action {
  const primary = primaryOf(service)
  if (change.unchanged && primary) {
    if (isCompleted(service, primary)) return { kind: "unchanged" }
    if (primary.rolloutState === "FAILED") return { kind: "again" }
    return { kind: "follow", deployment: primary }
  }
  const tag = (tags: Registered["tags"], key: string) => tags.find(it => it.key === key)?.value
  const sameTags = [versionTag, commitTag].every(
    key => tag(latest.tags, key) === tag(change.registration.tags, key),
  )
  const reusable = sameTags && sameDefinition(latest.definition, change.registration)
  return { kind: "deploy", reuse: reusable ? latest : undefined }
}

/**
 * Plans a deployment and changes nothing.
 *
 * @throws UserError if the service is not ACTIVE, the digest is not in ECR, or the container is not there
 */
export async function planDeploy(aws: Aws, options: DeployOptions): Promise<DeployPlan> {
  const target = await openService(aws, options)
  return explained(errorContext(target), () => prepare(target, options))
}

/**
 * Deploys an image to a service and follows that deployment to its end. Safe to repeat: an image that already runs is left alone,
 * and a deployment in progress is followed.
 *
 * @returns `completed`, `unchanged`, or `paused` if ECS waits for a person
 * @throws DeployError whose message begins with `rolled back`, `superseded`, `timed out` or `failed`; UserError if no deployment
 *   was started
 */
export async function deploy(aws: Aws, options: DeployRun): Promise<DeployResult> {
  const { timeoutSeconds = 900, print = console.log, version, commit } = options
  const target = await openService(aws, options)
  return explained(errorContext(target), async () => {
    const { service, current, action, patch: change, text } = await prepare(target, options)
    if (action.kind === "unchanged") {
      return { word: "unchanged", text, version, revision: current.arn, seconds: 0 }
    }
    for (const line of text.split("\n")) print(line)
    const { keepNewer, beforeUpdate, approval } = options
    const checkpoint = options.checkpoint && {
      ...options.checkpoint,
      alsoAsk: approval === options.checkpoint.stage,
    }
    const guards = { keepNewer, beforeUpdate, approval, checkpoint }
    const release = { version, commit, container: change.container, ...guards }
    const { waitForApproval, onPause } = options
    const watch = { timeoutSeconds, waitForApproval, onPause, print }
    if (action.kind === "deploy") {
      await noteCompleted(target, service, current, print)
      const revision = action.reuse?.arn ?? (await register(target, change.registration))
      print(`${action.reuse ? "reusing" : "registered"} ${shortName(revision)}`)
      const definition = { ...change.registration, taskDefinitionArn: revision }
      const reused = action.reuse !== undefined
      return rollOut(target, service, { ...release, revision, definition, reused }, watch)
    }
    const { arn: revision, definition } = current
    const running = action.kind === "follow" ? action.deployment : undefined
    return rollOut(target, service, { ...release, revision, definition, running, force: !running }, watch)
  })
}

async function prepare(target: Target, options: DeployOptions): Promise<DeployPlan> {
  const [service] = await Promise.all([describeService(target), assertInEcr(target.aws, options.image)])
  assertDeployable(service, target)
  const current = await describeRevision(target, revisionOf(service))
  const template = options.template ? await describeRevision(target, options.template) : current
  const change = patch(current.definition, template.tags, options, template.definition)
  const latest = change.unchanged ? current : await describeRevision(target, change.registration.family)
  const action = chooseAction(service, change, latest)
  return { action, patch: change, current, service, text: describe(target, options, action, change, current) }
}

function describe(
  { cluster, service }: Target,
  { version }: DeployOptions,
  action: Action,
  { diff }: Patch,
  { arn }: Registered,
): string {
  const where = `${cluster}/${service}`
  switch (action.kind) {
    case "unchanged":
      return `unchanged: ${where} already runs ${version} (${shortName(arn)})`
    case "follow":
      return `${where}: deployment ${action.deployment.id} is already deploying ${version}; following it`
    case "again":
      return `${where}: the last deployment of ${version} failed; starting it again (${shortName(arn)})`
    case "deploy":
      return [`${where}: changes to ${shortName(arn)}:`, ...diff.map(line => `  ${line}`)].join("\n")
  }
}

/** An interrupted run could not record that its deployment completed: do it now, before the next one starts. */
async function noteCompleted(
  target: Target,
  service: Service,
  current: Registered,
  print: (line: string) => void,
) {
  const primary = primaryOf(service)
  const keys = current.tags.map(({ key }) => key)
  if (!primary || !isCompleted(service, primary) || !keys.includes(versionTag) || keys.includes(completedTag))
    return
  await tagRevision(target, current.arn, { [completedTag]: new Date().toISOString() }, [], print)
}
