import type { Aws } from "../aws/clients.js"
import { explained } from "../aws/errors.js"
import type { Service } from "../aws/types.js"
import { UserError } from "../lib/errors.js"
import { isNewer } from "../lib/semver.js"
import { describeRevision, readRevision, recentRevisions } from "./revision.js"
import { describeService, errorContext, openService, revisionOf, shortName, type Target } from "./service.js"
import { listServiceDeployments } from "./service-deployment.js"

/** What is known about task definitions besides their tags: ARNs. */
export type Past = { succeeded: ReadonlySet<string>; failed: ReadonlySet<string> }

/** What ECS itself knows about task definitions: from its record of deployments, and from failed ones still in the service's list. */
export async function readPast(target: Target, service: Service): Promise<Past> {
  const records = await listServiceDeployments(target, 20)
  const brought = (of: { taskDefinition?: string }[]) =>
    new Set(of.flatMap(({ taskDefinition }) => taskDefinition ?? []))
  const ended = records.filter(({ status = "" }) => /^(SUCCESSFUL|ROLLBACK_)/.test(status))
  // If a revision was rolled back once but completed later, it has not failed: the newest record counts.
  const newest = ended.filter(
    (it, at) => ended.findIndex(({ taskDefinition }) => taskDefinition === it.taskDefinition) === at,
  )
  const failed = newest.filter(({ status }) => status !== "SUCCESSFUL")
  const listed = (service.deployments ?? []).filter(({ rolloutState }) => rolloutState === "FAILED")
  return {
    succeeded: brought(ended.filter(({ status }) => status === "SUCCESSFUL")),
    failed: brought([...failed, ...listed]),
  }
}

/** How a version was rolled back: it was deployed, and then the service was made to run another one in its place. */
export type RolledBack = { version: string; revision: string; why: string }

/**
 * Finds out whether a version was rolled back, by a person or by ECS: if so, a repeated release of its commit must not bring it
 * back by itself. It uses the tag on the version's newest revision, or, if the run that should have set it was
 * interrupted, ECS's own record.
 *
 * @returns undefined if the version runs, never ran, or was not rolled back
 */
export async function wasRolledBack(
  aws: Aws,
  options: { cluster: string; service: string; container?: string; version: string },
): Promise<RolledBack | undefined> {
  const { container, version } = options
  const target = await openService(aws, options)
  return explained(errorContext(target), async () => {
    const service = await describeService(target)
    const current = await describeRevision(target, revisionOf(service))
    const running = readRevision(current, container)
    if (running.version === version) return undefined
    const revisions = await recentRevisions(target, current.definition.family ?? "", container)
    const found = revisions.find(it => it.version === version)
    if (found === undefined) return undefined
    const { arn: revision, rejected, rolledBack } = found
    if (rejected) return { version, revision, why: `${version} was rejected by ${rejected}` }
    if (rolledBack) return { version, revision, why: `${version} was rolled back at ${rolledBack}` }
    const { failed, succeeded } = await readPast(target, service)
    if (failed.has(revision)) {
      return { version, revision, why: `ECS rolled ${version} back when its deployment failed` }
    }
    // It was running, and somebody deployed an older version, or something without a version, in its place.
    if (isNewer(running.version, version) || !(found.completed || succeeded.has(revision))) return undefined
    const now = running.version ?? shortName(current.arn)
    return { version, revision, why: `${version} ran before, and ${now} was deployed in its place` }
  })
}

/** The error for a version that was rolled back: it does not come back unless someone asks for it. */
export function rolledBackError(version: string, rolledBack: RolledBack | undefined): UserError {
  return new UserError(
    `${version} is not deployed: ${rolledBack?.why}.`,
    "",
    `Fix it in a new commit and release that, or bring it back on purpose: deploy --image ${version}`,
  )
}
