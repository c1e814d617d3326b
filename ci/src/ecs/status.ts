import type { Deployment, Service } from "../aws/types.js"
import { parseImage } from "../ecr/image.js"
import { table } from "../lib/table.js"
import { utc } from "../lib/time.js"
import { describePause, type Pause } from "./pause.js"
import type { Revision } from "./revision.js"
import { isCompleted, primaryOf, shortName } from "./service.js"
import { type Outcome, outcomeOfRecord, type RecordedDeployment } from "./service-deployment.js"

/** What a service runs. */
export type Status = {
  service: string
  /** ECS's word: ACTIVE, DRAINING or INACTIVE. */
  state: string
  version?: string
  commit?: string
  digest?: string
  /** ARN of the task definition. */
  revision: string
  /** When the running deployment began. */
  since?: Date
  desired: number
  running: number
  pending: number
  deployments: RecentDeployment[]
  /** Where a deployment waits for a person. */
  pause?: Pause
  /** ARN of who approved the deployment of what runs. */
  approvedBy?: string
  text: string
}

/** A recent deployment. */
export type RecentDeployment = {
  /** Version, or the task definition's name if it has none. */
  version: string
  commit?: string
  outcome: Outcome
  started?: Date
  ended?: Date
  reason?: string
}

/** Puts the status together. Pure. */
export function summarize(
  name: string,
  service: Service,
  current: Revision,
  revisions: Revision[],
  records: RecordedDeployment[],
  pause?: Pause,
): Status {
  const primary = primaryOf(service)
  const known = new Map([...revisions, current].map(it => [it.arn, it]))
  const listed = (service.deployments ?? []).map(it => fromList(it, service, known))
  const deployments =
    records.length > 0
      ? records.map(it => fromRecord(it, known))
      : [...listed, ...fromNotes(service, revisions)]
  const found = {
    service: name,
    state: service.status ?? "UNKNOWN",
    version: current.version,
    commit: current.commit,
    digest: current.image && parseImage(current.image).digest,
    revision: current.arn,
    since: primary?.createdAt,
    desired: service.desiredCount ?? 0,
    running: service.runningCount ?? 0,
    pending: service.pendingCount ?? 0,
    deployments,
    pause,
    approvedBy: current.approved,
  }
  return { ...found, text: write(found, primary && !isCompleted(service, primary) ? tell(primary) : "") }
}

function fromRecord(
  { status: state, taskDefinition, ...record }: RecordedDeployment,
  known: Map<string, Revision>,
): RecentDeployment {
  return {
    ...named(taskDefinition, known),
    outcome: outcomeOfRecord(state),
    started: record.startedAt ?? record.createdAt,
    ended: record.finishedAt,
    reason: record.statusReason,
  }
}

function fromList(deployment: Deployment, service: Service, known: Map<string, Revision>): RecentDeployment {
  const {
    taskDefinition,
    rolloutState,
    rolloutStateReason: reason,
    createdAt,
    updatedAt,
    status: state,
  } = deployment
  const name = { ...named(taskDefinition, known), started: createdAt, reason }
  const elsewhere = primaryOf(service)?.id !== deployment.id
  if (rolloutState === "FAILED")
    return { ...name, outcome: elsewhere ? "rolled back" : "failed", ended: updatedAt }
  if (isCompleted(service, deployment)) return { ...name, outcome: "completed", ended: updatedAt }
  return { ...name, outcome: state === "PRIMARY" ? "in progress" : "superseded" }
}

/** If ECS has no record: the tags on revisions whose deployments have left the service's list. */
function fromNotes({ deployments = [] }: Service, revisions: Revision[]): RecentDeployment[] {
  return revisions
    .filter(({ arn }) => !deployments.some(({ taskDefinition }) => taskDefinition === arn))
    .flatMap(({ arn, version, commit, completed, rolledBack }): RecentDeployment[] => {
      const ended = rolledBack ?? completed
      if (ended === undefined) return []
      const outcome = rolledBack === undefined ? "completed" : "rolled back"
      return [{ version: version ?? shortName(arn), commit, outcome, ended: new Date(ended) }]
    })
}

function named(arn: string | undefined, known: Map<string, Revision>): { version: string; commit?: string } {
  const revision = known.get(arn ?? "")
  return { version: revision?.version ?? shortName(arn), commit: revision?.commit }
}

function tell({ id, rolloutStateReason }: Deployment): string {
  return `deployment ${id} is not done${rolloutStateReason ? `: ${rolloutStateReason}` : ""}`
}

function write(found: Omit<Status, "text">, note: string): string {
  const head = [
    ["service", `${found.service} (${found.state})`],
    ["version", found.version ?? "unknown"],
    ["commit", found.commit ?? "unknown"],
    ["digest", found.digest ?? "not pinned"],
    ["task definition", shortName(found.revision)],
    ["since", utc(found.since) || "unknown"],
    [
      "tasks",
      `${found.running} running of ${found.desired} desired${found.pending ? `, ${found.pending} pending` : ""}`,
    ],
    ...(found.approvedBy ? [["approved by", found.approvedBy]] : []),
    ...(note ? [["deployment", note]] : []),
    ...(found.pause ? [["waits for", `${describePause(found.pause)} (approve, or reject --why '…')`]] : []),
  ]
  const rows = found.deployments.map(it => [
    it.version,
    it.commit?.slice(0, 7) ?? "",
    it.outcome,
    utc(it.started),
    utc(it.ended),
    it.outcome === "completed" ? "" : (it.reason ?? ""),
  ])
  const heading = ["VERSION", "COMMIT", "OUTCOME", "STARTED", "ENDED", "REASON"]
  return `${table(head)}\n\nLast deployments\n${rows.length === 0 ? "none" : table([heading, ...rows])}`
}
