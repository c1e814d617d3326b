import type { Aws } from "./aws/clients.js"
import { type DeployRun, deploy, planDeploy } from "./deploy.js"
import type { Pause } from "./ecs/pause.js"
import { DeployError, type DeployResult } from "./ecs/result.js"
import { currentRevision, readRevision } from "./ecs/revision.js"
import { Overtaken } from "./ecs/rollout.js"
import { UserError } from "./lib/errors.js"
import { type RollbackOptions, rollback } from "./rollback.js"
import type { ServiceRef } from "./settings.js"

/** Where to find the image of the version to go back to. */
type Registry = Pick<RollbackOptions, "repository" | "tagPrefix">

/** How one service's part of a deployment ended: well, or with an error. */
type End = {
  run: DeployRun
  /** The version that it ran before, if it was another one. */
  before?: string
  result?: DeployResult
  error?: unknown
}

/**
 * Deploys one image to several services at once, and follows all of them to the end. They stay together: if one fails or is rolled
 * back, those that have the new version go back to the previous one. With one service, this is `deploy`.
 *
 * @returns one result per service, in the same order
 * @throws as `deploy`; for several services, a DeployError that says for each of them how it ended
 */
export async function deploySet(
  aws: Aws,
  runs: DeployRun[],
  { repository, tagPrefix }: Registry,
): Promise<DeployResult[]> {
  if (runs.length === 1) return [await deploy(aws, runs[0] as DeployRun)]
  // Refuse everything that can be refused before any service changes.
  const plans = await Promise.all(runs.map(run => planDeploy(aws, run)))
  const ends = await Promise.all(
    runs.map(async (run, at): Promise<End> => {
      const now = plans[at] && readRevision(plans[at].current, run.container).version
      const before = now === run.version ? undefined : now
      try {
        return { run, before, result: await deploy(aws, { ...run, print: prefixed(run) }) }
      } catch (error) {
        return { run, before, error }
      }
    }),
  )
  const failed = ends.filter(end => end.error !== undefined)
  if (failed.length === 0) return ends.flatMap(({ result }) => result ?? [])
  const changed = ends.filter(({ result }) => result !== undefined && result.word !== "unchanged")
  const [first] = failed
  // A newer version took over before anything was deployed: that is how it should be.
  if (changed.length === 0 && failed.every(end => end.error instanceof Overtaken)) throw first?.error
  throw await undone(aws, ends, failed, { repository, tagPrefix })
}

/** Moves the services that have the new version back to the previous one, and says how each ended. */
async function undone(aws: Aws, ends: End[], failed: End[], registry: Registry): Promise<DeployError> {
  const words = failed.map(({ error }) => (error instanceof DeployError ? error.word : "unknown"))
  // A deployment that timed out or could not be followed may still complete, and a newer one stays: a person has to check.
  const isOver = words.every(word => word === "rolled back" || word === "failed")
  const reached = ends.filter(({ result }) => result !== undefined)
  const version = ends[0]?.run.version ?? ""
  const before = ends.find(end => end.before !== undefined)?.before
  const others = isOver
    ? await Promise.all(reached.map(end => goBack(aws, end, end.before ?? before, registry)))
    : reached.map(({ run }) => `${run.service}: runs ${version}`)
  const lines = failed.map(
    ({ run, error }) => `${run.service}: ${error instanceof Error ? error.message : error}`,
  )
  const word = (["rolled back", "failed", "timed out", "superseded"] as const).find(it => words.includes(it))
  return new DeployError(
    word ?? "failed",
    `: ${version} did not reach all of ${ends.map(({ run }) => run.service).join(", ")}`,
    [...lines, ...others].join("\n"),
    isOver
      ? "Fix it and release again."
      : "See 'status', then run the same command again, or go back: rollback --to",
  )
}

/** Moves one service back to a version, unless it runs something else by now. Says how that ended. */
async function goBack(
  aws: Aws,
  { run, result }: End,
  to: string | undefined,
  registry: Registry,
): Promise<string> {
  const { cluster, service, container, someContainers, timeoutSeconds } = run
  try {
    const { arn, version } = await currentRevision(aws, run)
    if (arn !== result?.revision) return `${service}: runs ${version ?? arn} by now, left as it is`
    if (to === undefined) return `${service}: runs ${run.version}: its previous version is not known`
    const where = { cluster, service, container, someContainers, timeoutSeconds }
    const back = await rollback(aws, { ...where, ...registry, to, print: prefixed(run) })
    if (back.word === "paused")
      return `${service}: still runs ${run.version}: going back to ${back.version} waits for an approval`
    return `${service}: went back to ${back.version}`
  } catch (error) {
    return `${service}: could not go back to ${to}: ${(error as Error).message}`
  }
}

/**
 * Goes back to the previous version, or to a named one, on several services: on the first, then on the others, to the same version.
 *
 * @returns one result per service, in the same order
 * @throws as `rollback`, and UserError if the services run different versions and none is named; services that went back stay there
 */
export async function rollbackSet(
  aws: Aws,
  all: [RollbackOptions, ...RollbackOptions[]],
): Promise<DeployResult[]> {
  const [first, ...others] = all
  if (others.length === 0) return [await rollback(aws, first)]
  if (first.to === undefined) {
    const now = await Promise.all(all.map(it => currentRevision(aws, it)))
    const versions = all.map(({ service }, at) => `${service} ${now[at]?.version ?? "an unknown version"}`)
    if (new Set(now.map(({ version }) => version)).size > 1) {
      throw new UserError(
        "The services run different versions, so there is no single previous version.",
        `They run: ${versions.join(", ")}.`,
        "Name the version that all of them should run: rollback --to X.Y.Z",
      )
    }
  }
  const done = await rollback(aws, { ...first, print: prefixed(first) })
  const to = first.to ?? done.version
  return [done, ...(await Promise.all(others.map(it => rollback(aws, { ...it, to, print: prefixed(it) }))))]
}

/**
 * Does something to several services at once, and waits for all of them.
 *
 * @returns one result per service, in the same order
 * @throws UserError that says for each how it ended, if one failed
 */
export async function onEach<W extends { service: string }, T>(
  all: W[],
  print: (line: string) => void,
  work: (where: W, print: (line: string) => void) => Promise<T>,
): Promise<T[]> {
  const [only, ...others] = all
  if (only && others.length === 0) return [await work(only, print)]
  const ends = await Promise.allSettled(
    all.map(where => work(where, prefixed({ service: where.service, print }))),
  )
  const failed = ends.flatMap((end, at) =>
    end.status === "rejected" ? [`${all[at]?.service}: ${(end.reason as Error).message}`] : [],
  )
  if (failed.length === 0) return ends.flatMap(end => (end.status === "fulfilled" ? [end.value] : []))
  const what = `${failed.length} of ${all.length} services failed`
  const remedy = "The other services are done. 'status' shows all of them."
  const first = ends.find(end => end.status === "rejected")?.reason
  if (first instanceof DeployError) throw new DeployError(first.word, `: ${what}`, failed.join("\n"), remedy)
  throw new UserError(`${what}.`, failed.join("\n"), remedy)
}

/** Prints lines with the service's name before them. */
function prefixed({ service, print = console.log }: Pick<DeployRun, "service" | "print">) {
  return (line: string) => print(`${service}: ${line}`)
}

/** How one service's deployment ended. */
export type ServiceEnd = {
  /** `CLUSTER/SERVICE`. */
  service: string
  outcome: DeployResult["word"]
  /** ARN of the task definition that runs, or is on its way. */
  taskDefinition: string
  /** Id of the deployment, if there was one. */
  deploymentId?: string
  /** Where ECS waits for a person. */
  pause?: Omit<Pause, "serviceDeployment">
  url?: string
}

/** How one service's deployment ended, as JSON output has it. */
export function serviceEnd({ cluster, service }: ServiceRef, end: DeployResult, url?: string): ServiceEnd {
  const { word: outcome, revision: taskDefinition, deploymentId } = end
  const { serviceDeployment, ...pause } = end.pause ?? {}
  return {
    ...{ service: `${cluster}/${service}`, outcome, taskDefinition, deploymentId, url },
    ...(end.pause && { pause: pause as Pause }),
  }
}
