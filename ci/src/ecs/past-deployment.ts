import { describeRevision, type Revision, readRevision } from "./revision.js"
import { shortName, type Target } from "./service.js"
import {
  deploymentsBetween,
  type Outcome,
  outcomeOfRecord,
  type RecordedDeployment,
} from "./service-deployment.js"

/** A deployment of ECS's record, with the version that it brought. */
export type PastDeployment = {
  /** ARN of the service deployment. */
  id: string
  /** Version, or the task definition's name if it has none. */
  version: string
  commit?: string
  /** ARN of the task definition. */
  taskDefinition?: string
  outcome: Outcome
  started: Date
  ended?: Date
  /** What ECS says about it. */
  reason?: string
}

/**
 * The deployments of a time, and the last completed one before it, the oldest first.
 *
 * @param known revisions that need not be read again, by ARN; those that are read are added
 */
export async function pastDeployments(
  target: Target,
  { since, until, container }: { since: Date; until: Date; container?: string },
  known: Map<string, Revision> = new Map(),
): Promise<PastDeployment[]> {
  const records = await deploymentsBetween(target, since, until)
  const missing = [...new Set(records.flatMap(({ taskDefinition }) => taskDefinition ?? []))].filter(
    arn => !known.has(arn),
  )
  for (let at = 0; at < missing.length; at += 5) {
    const part = await Promise.all(missing.slice(at, at + 5).map(arn => describeRevision(target, arn)))
    for (const it of part) known.set(it.arn, readRevision(it, container))
  }
  return records.map(it => fromRecord(it, known)).reverse()
}

function fromRecord(record: RecordedDeployment, known: ReadonlyMap<string, Revision>): PastDeployment {
  const { serviceDeploymentArn: id = "", status, statusReason: reason, taskDefinition } = record
  const revision = known.get(taskDefinition ?? "")
  const started = record.startedAt ?? record.createdAt ?? new Date(0)
  return {
    ...{ id, version: revision?.version ?? shortName(taskDefinition), commit: revision?.commit },
    ...{ taskDefinition, outcome: outcomeOfRecord(status), started, ended: record.finishedAt, reason },
  }
}
