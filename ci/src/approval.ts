import { identityOf } from "./aws/account.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { findPause, type Pause, resume } from "./ecs/pause.js"
import { describeRevision, type Revision, readRevision, tagRevision } from "./ecs/revision.js"
import {
  describeService,
  errorContext,
  openService,
  revisionOf,
  shortName,
  type Target,
} from "./ecs/service.js"
import { listServiceDeployments } from "./ecs/service-deployment.js"
import { approvedByTag, rejectedByTag, rejectedWhyTag, tagValue } from "./ecs/task-definition.js"
import { UserError } from "./lib/errors.js"
import { withoutV } from "./lib/semver.js"

/** A person's answer to a deployment that waits. */
export type Answer = {
  action: "CONTINUE" | "ROLLBACK"
  /** Why it is rejected. */
  why?: string
  /** The version that the answer is about; whichever waits if left out. */
  version?: string
}

/** A service's deployment that waits for a person. */
type Waiting = { target: Target; name: string; revision: Revision; pause?: Pause }

/**
 * Lets the deployments of services that wait for a person go on, or has ECS roll them back (ECS API reference,
 * ContinueServiceDeployment). Who did it is noted on the task definition, before it happens, so that a run that follows the
 * deployment can say so.
 *
 * @param all the services; those without a waiting deployment are left alone
 * @returns a line for each that was answered
 * @throws UserError if none waits, or if a version other than the expected one does
 */
export async function answer(
  aws: Aws,
  all: { cluster: string; service: string; container?: string }[],
  { action, why = "", version: wanted }: Answer,
  print: (line: string) => void,
): Promise<string[]> {
  const version = wanted && withoutV(wanted)
  const found = await Promise.all(all.map(where => look(aws, where)))
  const waiting = found.flatMap(it => (it.pause ? [{ ...it, pause: it.pause }] : []))
  if (waiting.length === 0) throw nothingWaits(found)
  const other = waiting.find(it => version !== undefined && it.revision.version !== version)
  if (other) {
    throw new UserError(
      `${other.name} is waiting for approval of ${other.revision.version ?? shortName(other.revision.arn)}, not of ${version}.`,
      "",
      "Check 'status', then pass the version that you mean with --version.",
    )
  }
  const { arn } = await identityOf(aws)
  const ends = await Promise.allSettled(
    waiting.map(({ target, name, revision, pause }) =>
      explained(errorContext(target), async () => {
        const what = revision.version ?? shortName(revision.arn)
        const { stage } = pause
        if (action === "CONTINUE") {
          await noted(target, revision.arn, { [approvedByTag]: tagValue(arn) }, print, () =>
            resume(target, pause, action),
          )
          return `approved: ${what} continues after ${stage} on ${name}, by ${arn}`
        }
        const reason = tagValue(why)
        const tags = { [rejectedByTag]: tagValue(arn), ...(reason && { [rejectedWhyTag]: reason }) }
        await noted(target, revision.arn, tags, print, () => resume(target, pause, action))
        return `rejected: ECS rolls ${what} back on ${name}, by ${arn}${why && `: ${why}`}`
      }),
    ),
  )
  const lines = ends.map((end, at) =>
    end.status === "fulfilled" ? end.value : `${waiting[at]?.name}: ${(end.reason as Error).message}`,
  )
  const failed = ends.find(end => end.status === "rejected")
  if (failed && waiting.length === 1) throw failed.reason
  if (failed)
    throw new UserError(
      "The answer did not reach all services.",
      lines.join("\n"),
      "Check 'status', then run the same command again.",
    )
  const others = found
    .filter(it => !it.pause)
    .map(({ name }) => `${name}: no deployment waits here; left alone`)
  return [...lines, ...others]
}

/** Records an answer in place of an earlier one, and removes it again if ECS does not accept the answer. */
async function noted(
  target: Target,
  revision: string,
  tags: Record<string, string>,
  print: (line: string) => void,
  work: () => Promise<void>,
): Promise<void> {
  const others = [approvedByTag, rejectedByTag, rejectedWhyTag].filter(key => !(key in tags))
  await tagRevision(target, revision, tags, others, print)
  try {
    await work()
  } catch (error) {
    await tagRevision(target, revision, {}, Object.keys(tags), print)
    throw error
  }
}

async function look(
  aws: Aws,
  where: { cluster: string; service: string; container?: string },
): Promise<Waiting> {
  const target = await openService(aws, where)
  return explained(errorContext(target), async () => {
    const [service, records] = await Promise.all([describeService(target), listServiceDeployments(target)])
    const found = await findPause(target, records)
    const revision = await describeRevision(target, found?.taskDefinition ?? revisionOf(service))
    const name = `${where.cluster}/${where.service}`
    return { target, name, revision: readRevision(revision, where.container), pause: found?.pause }
  })
}

function nothingWaits(found: Waiting[]): UserError {
  const runs = found.map(({ name, revision }) => `${name} has ${revision.version ?? shortName(revision.arn)}`)
  return new UserError(
    "No deployment is waiting for approval.",
    `${runs.join(", ")}.`,
    "See 'status' for what is happening. This needs the permissions ecs:ListServiceDeployments, ecs:DescribeServiceDeployments and ecs:DescribeServiceRevisions.",
  )
}
