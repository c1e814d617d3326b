import { pages } from "../aws/clients.js"
import { passing } from "../aws/errors.js"
import type { ServiceDeployment, ServiceDeploymentBrief } from "../aws/types.js"
import type { Target } from "./service.js"

/** A service deployment with its task definition. */
export type RecordedDeployment = ServiceDeploymentBrief & { taskDefinition?: string }

/**
 * ECS's record of a service's deployments, the newest first. ECS keeps 90 days of it, since October 2024.
 *
 * @param limit how many, at most 20 (what DescribeServiceRevisions takes at once)
 * @returns none if the record is empty, or if reading it is not allowed
 */
export async function listServiceDeployments(target: Target, limit = 10): Promise<RecordedDeployment[]> {
  const { client, cluster, service } = target
  const answer = await optional(() => client.listServiceDeployments({ cluster, service, maxResults: limit }))
  return withTaskDefinitions(target, newestFirst(answer?.serviceDeployments))
}

/** How to read the record again, using what is already known. */
export type RecordOptions = { known?: Map<string, string | undefined>; before?: boolean }

/** How long ECS keeps its record of deployments, in days. */
export const recordDays = 90

/**
 * The deployments that were created in a period, and the last completed one before it, newest first.
 *
 * @param options.known task definitions by service revision, which are not read again; new ones are added to it
 * @param options.before false to leave out the completed one before the period
 * @throws as AWS does, if reading the record is not allowed
 */
export async function deploymentsBetween(
  target: Target,
  since: Date,
  until: Date,
  { known = new Map(), before: wantsBefore = true }: RecordOptions = {},
): Promise<RecordedDeployment[]> {
  const { client, cluster, service } = target
  const list = async (input: object, most?: number) => {
    const found: ServiceDeploymentBrief[] = []
    const read = (nextToken?: string) =>
      client.listServiceDeployments({ cluster, service, maxResults: 100, ...input, nextToken })
    for await (const page of pages(read)) {
      found.push(...(page.serviceDeployments ?? []))
      if (most !== undefined && found.length >= most) break
    }
    return newestFirst(found)
  }
  const [during, before] = await Promise.all([
    list({ createdAt: { after: since, before: until } }),
    wantsBefore ? list({ createdAt: { before: since }, status: ["SUCCESSFUL"] }, 1) : [],
  ])
  const listed = new Set(during.map(it => it.serviceDeploymentArn))
  const last = before.filter(it => !listed.has(it.serviceDeploymentArn)).slice(0, 1)
  return withTaskDefinitions(target, [...during, ...last], known)
}

function newestFirst(found: ServiceDeploymentBrief[] = []): ServiceDeploymentBrief[] {
  return [...found].sort((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0))
}

/** Deployments with their task definitions. ECS returns those for 20 at once (ECS API reference, DescribeServiceRevisions). */
async function withTaskDefinitions(
  { client }: Target,
  found: ServiceDeploymentBrief[],
  known: Map<string, string | undefined> = new Map(),
): Promise<RecordedDeployment[]> {
  const all = [...new Set(found.flatMap(it => it.targetServiceRevisionArn ?? []))]
  const arns = all.filter(arn => !known.has(arn))
  for (let at = 0; at < arns.length; at += 20) {
    const serviceRevisionArns = arns.slice(at, at + 20)
    const described = await optional(() => client.describeServiceRevisions({ serviceRevisionArns }))
    for (const it of described?.serviceRevisions ?? []) {
      if (it.serviceRevisionArn) known.set(it.serviceRevisionArn, it.taskDefinition)
    }
  }
  return found.map(it => ({ ...it, taskDefinition: known.get(it.targetServiceRevisionArn ?? "") }))
}

/** How a deployment ended, or how far along it is. */
export type Outcome =
  | "completed"
  | "in progress"
  | "rolling back"
  | "rolled back"
  | "failed"
  | "stopped"
  | "superseded"

const outcomes: { [state: string]: Outcome } = {
  SUCCESSFUL: "completed",
  ROLLBACK_SUCCESSFUL: "rolled back",
  ROLLBACK_FAILED: "failed",
  ROLLBACK_REQUESTED: "rolling back",
  ROLLBACK_IN_PROGRESS: "rolling back",
  STOPPED: "stopped",
}

/** The outcome that a record's state means (ECS API reference, ServiceDeploymentBrief). */
export function outcomeOfRecord(state: string | undefined): Outcome {
  return outcomes[state ?? ""] ?? "in progress"
}

/** What happens in each stage of a deployment (ECS API reference, `ServiceDeployment`). */
const stages: Record<string, string> = {
  RECONCILE_SERVICE: "sorting out revisions left by an earlier deployment",
  PRE_SCALE_UP: "before the new tasks start",
  SCALE_UP: "new tasks start",
  POST_SCALE_UP: "the new tasks run",
  TEST_TRAFFIC_SHIFT: "test traffic moves to the new tasks",
  POST_TEST_TRAFFIC_SHIFT: "test traffic is on the new tasks",
  PRE_PRODUCTION_TRAFFIC_SHIFT: "before production traffic moves to the new tasks",
  PRODUCTION_TRAFFIC_SHIFT: "production traffic moves to the new tasks",
  POST_PRODUCTION_TRAFFIC_SHIFT: "production traffic is on the new tasks",
  BAKE_TIME: "both revisions run, ECS can still go back",
  CLEAN_UP: "old tasks stop",
}

/** What happens in a deployment's stage. */
export function stageMeaning(stage: string): string {
  return stages[stage] ?? "under way"
}

/** How much earlier a record's time can be than its deployment's: AWS rounds them down differently. Milliseconds. */
const slack = 2000

/**
 * The service deployment that ECS created for one deployment. ECS lists it a moment after the update, and also lists earlier ones
 * of the same task definition: a record from before the deployment belongs to another one, whatever it says.
 *
 * @param revision ARN of the task definition that it brings
 * @param since when the deployment was created, by ECS's own clock
 * @returns its ARN; undefined if ECS has none, or not yet
 */
export async function findServiceDeployment(
  target: Target,
  revision: string,
  since: Date,
): Promise<string | undefined> {
  const all = await listServiceDeployments(target)
  const from = since.getTime() - slack
  return all.find(
    ({ taskDefinition, createdAt, finishedAt }) =>
      taskDefinition === revision &&
      createdAt !== undefined &&
      createdAt.getTime() >= from &&
      (finishedAt === undefined || finishedAt > since),
  )?.serviceDeploymentArn
}

/** One service deployment, with its stage, its traffic and its rollback. */
export async function describeServiceDeployment(
  { client }: Target,
  arn: string,
): Promise<ServiceDeployment | undefined> {
  const answer = await optional(() => client.describeServiceDeployments({ serviceDeploymentArns: [arn] }))
  return answer?.serviceDeployments?.[0]
}

/**
 * Stops a service deployment and has ECS go back to the revision before it, whatever the service's own rollback setting.
 *
 * @returns false if ECS does not know the deployment or cannot stop it (it has just ended)
 */
export async function stopServiceDeployment({ client }: Target, arn: string): Promise<boolean> {
  const stop = () => client.stopServiceDeployment({ serviceDeploymentArn: arn, stopType: "ROLLBACK" })
  return (await optional(stop)) !== undefined
}

/**
 * These calls are newer than ECS itself, and only add to what the older ones return: if one is not available or not allowed, the
 * pipeline relies on the older ones.
 */
async function optional<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    if (passing(error)) throw error
    return undefined
  }
}
