import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { planDeploy } from "./deploy.js"
import { recentRevisions, register, tagRevision } from "./ecs/revision.js"
import { errorContext, openService, shortName } from "./ecs/service.js"
import { migratedTag } from "./ecs/task-definition.js"
import { type RunOptions, runTask } from "./run.js"

/** How many revisions to search for the record of a migration; each takes a call. */
const lookBack = 30

/**
 * Runs a migration once per version: it is recorded on the revision that is about to be deployed, where a repeated release finds
 * it. If the version is already running or being deployed, its migration has already run, and nothing is run now.
 *
 * If another run's task is already doing it, that task is followed.
 *
 * @param command a line for the image's `sh`
 * @throws UserError if the command does not exit with 0: then nothing is recorded, and the next release runs it again
 */
export async function migrateOnce(
  aws: Aws,
  options: Omit<RunOptions, "command"> & { print: (line: string) => void },
  command: string,
): Promise<void> {
  const { version, container, print } = options
  const target = await openService(aws, options)
  await explained(errorContext(target), async () => {
    const { action, patch, current } = await planDeploy(aws, options)
    if (action.kind === "unchanged" || action.kind === "follow") {
      print(`no migration: ${version} is already ${action.kind === "follow" ? "being deployed" : "running"}`)
      return
    }
    const revisions = await recentRevisions(target, patch.registration.family, container, lookBack)
    const before = revisions.find(it => it.version === version && it.migrated !== undefined)
    if (before) {
      print(`no migration: it already ran for ${version} at ${before.migrated}`)
      return
    }
    await runTask(aws, { ...options, command: ["sh", "-c", command], once: nameOf(options) })
    const known = action.kind === "deploy" ? action.reuse?.arn : current.arn
    const revision = known ?? (await register(target, patch.registration))
    await tagRevision(target, revision, { [migratedTag]: new Date().toISOString() }, [], print)
  })
}

/** The name that identifies the migration's tasks in ECS (`startedBy`: letters, digits, hyphens, underscores and slashes, 128 at most). */
function nameOf({ service, version }: { service: string; version: string }): string {
  return `ecs-release/migrate/${shortName(service)}/${version}`.replace(/[^\w/-]/g, "-").slice(0, 128)
}
