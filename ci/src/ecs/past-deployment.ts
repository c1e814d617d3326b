import { inBatches } from "../lib/list.js"
import { describeRevision, type Revision, readRevision } from "./revision.js"
import { shortName, type Target } from "./service.js"
import {
  deploymentsBetween,
  type Outcome,
  outcomeOfRecord,
  type RecordedDeployment,
  type RecordOptions,
} from "./service-deployment.js"

/** A deployment from ECS's record, with its version. */
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
  /** Why it did not complete: how its failed task ended, or what ECS says. */
  reason?: string
}

/**
 * The deployments in a period, and the last completed one before it, oldest first.
 *
 * @param known revisions that need not be read again, by ARN; those that are read are added
 */
export async function pastDeployments(
  target: Target,
  { since, until, container }: { since: Date; until: Date; container?: string },
  known: Map<string, Revision> = new Map(),
  options?: RecordOptions,
): Promise<PastDeployment[]> {
  const records = await deploymentsBetween(target, since, until, options)
  const missing = [...new Set(records.flatMap(({ taskDefinition }) => taskDefinition ?? []))].filter(
    arn => !known.has(arn),
  )
  for (const it of await inBatches(missing, arn => revisionAt(target, arn, container))) known.set(it.arn, it)
  return records.map(it => fromRecord(it, known)).reverse()
}

/** If a revision was deleted for good, only its name is known. */
async function revisionAt(target: Target, arn: string, container?: string): Promise<Revision> {
  try {
    return readRevision(await describeRevision(target, arn), container)
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "ClientException") throw error
    return { arn, number: Number(arn.split(":").at(-1)) }
  }
}

function fromRecord(record: RecordedDeployment, known: ReadonlyMap<string, Revision>): PastDeployment {
  const { serviceDeploymentArn: id = "", status, statusReason, taskDefinition } = record
  const revision = known.get(taskDefinition ?? "")
  const outcome = outcomeOfRecord(status)
  const cause = outcome === "completed" ? undefined : revision?.cause
  const reason = [statusReason, cause].filter(Boolean).join(" ") || undefined
  const started = record.startedAt ?? record.createdAt ?? new Date(0)
  return {
    ...{ id, version: revision?.version ?? shortName(taskDefinition), commit: revision?.commit },
    ...{ taskDefinition, outcome, started, ended: record.finishedAt, reason },
  }
}
