import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import type { DeployResult } from "./ecs/result.js"
import { describeRevision, readRevision } from "./ecs/revision.js"
import { rollOut, type Watch } from "./ecs/rollout.js"
import {
  assertDeployable,
  describeService,
  errorContext,
  inProgress,
  openService,
  revisionOf,
  shortName,
} from "./ecs/service.js"
import { UserError } from "./lib/errors.js"
import type { ServiceRef } from "./settings.js"

/**
 * Replaces a service's tasks with new ones of the same task definition, so that they read secrets and parameters again, and follows
 * that deployment (ECS UpdateService, forceNewDeployment).
 *
 * @throws UserError if a deployment is in progress; DeployError as `deploy`
 */
export async function restart(aws: Aws, where: ServiceRef, watch: Watch): Promise<DeployResult> {
  const target = await openService(aws, where)
  return explained(errorContext(target), async () => {
    const service = await describeService(target)
    assertDeployable(service, target)
    const busy = inProgress(service)
    if (busy) {
      throw new UserError(
        `${where.cluster}/${where.service} is not restarted: deployment ${busy.id} is in progress.`,
        busy.rolloutStateReason,
        "Wait for it ('status' shows it), then restart: tasks that have already started keep the old values. Or stop it with 'rollback'.",
      )
    }
    const current = await describeRevision(target, revisionOf(service))
    const { version = shortName(current.arn), commit } = readRevision(current, where.container)
    const { arn: revision, definition } = current
    const rollout = { revision, definition, version, commit, container: where.container, force: true }
    return rollOut(target, service, rollout, watch)
  })
}
