import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { findPause } from "./ecs/pause.js"
import { describeRevision, readRevision, recentRevisions } from "./ecs/revision.js"
import { describeService, errorContext, openService, revisionOf } from "./ecs/service.js"
import { listServiceDeployments } from "./ecs/service-deployment.js"
import { type Status, summarize } from "./ecs/status.js"

/**
 * What a service runs, which commit that is, and what happened recently.
 *
 * @throws UserError if there is no such service
 */
export async function status(
  aws: Aws,
  options: { cluster: string; service: string; container?: string },
): Promise<Status> {
  const target = await openService(aws, options)
  return explained(errorContext(target), async () => {
    const service = await describeService(target)
    const arn = revisionOf(service)
    const current = await describeRevision(target, arn)
    const family = current.definition.family ?? ""
    const [revisions, records] = await Promise.all([
      recentRevisions(target, family, options.container, 8),
      listServiceDeployments(target, 8),
    ])
    const running = readRevision(current, options.container)
    const waiting = await findPause(target, records)
    const name = `${options.cluster}/${options.service}`
    return summarize(name, service, running, revisions, records, waiting?.pause)
  })
}
