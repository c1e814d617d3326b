import { passing } from "../aws/errors.js"
import type { ServiceDeployment, ServiceDeploymentBrief } from "../aws/types.js"
import type { Target } from "./service.js"

/** A service deployment with the task definition that it brings. */
export type RecordedDeployment = ServiceDeploymentBrief & { taskDefinition?: string; image?: string }

/**
 * ECS's record of a service's deployments, the newest first. ECS keeps 90 days of it, since October 2024.
 *
 * @param limit how many, at most 20 (what DescribeServiceRevisions takes at once)
 * @returns none if the record is empty, or if reading it is not allowed
 */
export async function listServiceDeployments(target: Target, limit = 10): Promise<RecordedDeployment[]> {
  const { client, cluster, service } = target
  const answer = await optional(() => client.listServiceDeployments({ cluster, service, maxResults: limit }))
  const found = [...(answer?.serviceDeployments ?? [])].sort(
    (a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0),
  )
  const arns = [...new Set(found.flatMap(it => it.targetServiceRevisionArn ?? []))].slice(0, 20)
  if (arns.length === 0) return found
  const described = await optional(() => client.describeServiceRevisions({ serviceRevisionArns: arns }))
  const revisions = new Map(described?.serviceRevisions?.map(it => [it.serviceRevisionArn, it]))
  return found.map(it => ({
    ...it,
    taskDefinition: revisions.get(it.targetServiceRevisionArn)?.taskDefinition,
  }))
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
 * The service deployment that ECS made for one deployment. ECS lists it a moment after the update, and it lists earlier ones
 * of the same task definition too: one from before the deployment belongs to another, whatever it says.
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
 * These calls are newer than ECS, and only add to what the older ones say: if one is not offered or not allowed, the pipeline
 * relies on the older ones.
 */
async function optional<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    if (passing(error)) throw error
    return undefined
  }
}
