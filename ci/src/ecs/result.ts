import type { Service, TaskDefinition } from "../aws/types.js"
import { UserError } from "../lib/errors.js"
import type { Pause } from "./pause.js"
import { taskCounts } from "./progress.js"
import { describeRevision, readRevision } from "./revision.js"
import { primaryOf, shortName, type Target } from "./service.js"
import { failures, report } from "./stopped-tasks.js"
import type { Ending } from "./wait.js"

/** A deployment that ended well, or that continues once a person has approved it. */
export type DeployResult = {
  word: "completed" | "unchanged" | "paused"
  /** The result as text; its first word is `word`. */
  text: string
  version: string
  /** ARN of the task definition that runs. */
  revision: string
  /** Id of the deployment, `ecs-svc/…`, if there was one. */
  deploymentId?: string
  /** Where ECS waits for a person. */
  pause?: Pause
  seconds: number
}

/** A deployment that ended any other way. The message's first words are `word`. */
export class DeployError extends UserError {
  constructor(
    readonly word: "rolled back" | "superseded" | "timed out" | "failed",
    what: string,
    why: string,
    remedy: string,
  ) {
    super(`${word}${what}`, why, remedy)
    this.name = "DeployError"
  }
}

/** What was deployed, for the message about how it ended. */
export type Deployed = {
  version: string
  commit?: string
  /** ARN of its task definition. */
  revision: string
  definition: TaskDefinition
  container?: string
  deploymentId?: string
  /** When the deployment began; earlier tasks belong to another one. */
  since?: Date
  /** Who rejected it, and why. */
  rejected?: string
}

/** The message for a deployment that ended well. */
export function completed(target: Target, deployed: Deployed, ending: Ending): DeployResult {
  const { version, revision, commit, deploymentId } = deployed
  const primary = primaryOf(ending.service)
  const where = `${target.cluster}/${target.service}`
  const about = [shortName(revision), commit && `commit ${commit.slice(0, 7)}`].filter(Boolean).join(", ")
  const count = primary ? `${taskCounts(primary)}${draining(ending.service)}` : "tasks unknown"
  const state =
    ending.service.desiredCount === 0
      ? `is set to ${version} and runs no task, since its desired count is 0`
      : `runs ${version}: ${count}`
  const text = `completed: ${where} ${state}, after ${Math.round(ending.seconds)} s (${about})`
  return { word: "completed", text, version, revision, deploymentId, seconds: ending.seconds }
}

/** The message for a deployment that waits for a person: nothing has failed. */
export function paused(
  target: Target,
  deployed: Deployed,
  { why, pause, seconds }: Ending & { word: "paused" },
): DeployResult {
  const { version, revision, deploymentId } = deployed
  const text = [
    `paused: ${version} on ${target.cluster}/${target.service}, after ${Math.round(seconds)} s: ${why}`,
    "→ Run approve to let it continue, or reject --why '…' to go back (after --stage, if there are stages). Then run the same command again to follow it.",
  ].join("\n")
  return { word: "paused", text, version, revision, deploymentId, pause, seconds }
}

/**
 * The error for any other end: what happened, ECS's reason, the failed tasks with exit codes and last log lines, and what
 * to do next.
 */
export async function deployError(target: Target, deployed: Deployed, ending: Ending): Promise<DeployError> {
  const { version, revision, definition, since, rejected } = deployed
  const word = ending.word as DeployError["word"]
  const where = `${target.cluster}/${target.service}`
  const causes = failures(ending.stopped, revision, since)
  const details = word === "superseded" ? [] : await report(target, causes, definition)
  const why = [rejected ? `rejected by ${rejected}` : ending.why, ...details].filter(Boolean).join("\n")
  const now = ending.now === undefined ? "?" : await nameOf(target, ending.now, deployed.container)
  const hint = causes[0]?.hint ? `${causes[0].hint} ` : ""
  switch (word) {
    case "rolled back":
      return new DeployError(
        word,
        `: ${version} ${rejected ? "was rejected" : "failed"} on ${where} and ECS went back; ${now} is live`,
        why,
        `${hint}Fix it and release again.`,
      )
    case "superseded":
      return new DeployError(
        word,
        `: another deployment took over ${where} before ${version} finished; it deploys ${now}`,
        why,
        `See 'status' for what is running. If ${version} should run after all, deploy it again.`,
      )
    case "timed out":
      return new DeployError(
        word,
        ` after ${Math.round(ending.seconds)} s: ${version} on ${where}`,
        why,
        `${hint}Run the same command again to keep following (a longer --timeout waits longer), or 'rollback' to stop it.`,
      )
    default:
      return new DeployError(
        word,
        `: ${version} on ${where}`,
        why,
        `${hint}'status' shows what is running; 'rollback' goes back; or fix it and release again.`,
      )
  }
}

/** With early success, ECS completes a deployment while old tasks are still running (ECS API reference, DeploymentEarlySuccessCriteria). */
function draining(service: Service): string {
  const { enable, sourceServiceRevisionCleanup } = service.deploymentConfiguration?.earlySuccessCriteria ?? {}
  if (!enable || sourceServiceRevisionCleanup !== "DEFERRED") return ""
  const old = (service.deployments ?? []).filter(({ status }) => status !== "PRIMARY")
  const count = old.reduce((sum, { runningCount = 0 }) => sum + runningCount, 0)
  return count === 0 ? "" : `; ECS is still stopping ${count} old ${count === 1 ? "task" : "tasks"}`
}

/** What to call a task definition: its version if it has one. If it cannot be read, the deployment's result is still reported. */
async function nameOf(target: Target, arn: string, container?: string): Promise<string> {
  try {
    const { version } = readRevision(await describeRevision(target, arn), container)
    return version === undefined ? shortName(arn) : `${version} (${shortName(arn)})`
  } catch {
    return shortName(arn)
  }
}

/** How all services together ended: one waits for a person, something was deployed, or everything was already running. */
export function outcomeOf(ends: DeployResult[]): DeployResult["word"] {
  if (ends.some(({ word }) => word === "paused")) return "paused"
  return ends.some(({ word }) => word === "completed") ? "completed" : "unchanged"
}
