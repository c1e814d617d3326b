import { openAws } from "./aws/account.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { Registry } from "./ecr/registry.js"
import { describeRevision } from "./ecs/revision.js"
import { describeService, errorContext, openService } from "./ecs/service.js"
import { listServiceDeployments } from "./ecs/service-deployment.js"
import { patch } from "./ecs/task-definition.js"
import { UserError } from "./lib/errors.js"
import { table } from "./lib/table.js"
import { type Preflight, preflights } from "./preflight.js"
import { neverPushed } from "./push.js"
import { deploysNothing } from "./release-decision.js"
import { type ServiceRef, type Settings, servicesOf } from "./settings.js"
import type { ClassifiedCommit } from "./version/bump.js"
import {
  type ComputedVersion,
  commitToDeploy,
  computeVersion,
  nothingToDo,
  offBranch,
} from "./version/compute.js"

type Line = { commit: string; subject: string; effect: string; why: string }

/** What a release of HEAD would do, and why. */
export type Plan = {
  version: string
  current: string | null
  next: string | null
  bump: string
  reason: string
  base: { tag: string | null; why: string }
  head: { commit: string; date: string }
  /** The commits that count, newest first. */
  commits: Line[]
  /** The commits that do not, each with the reason. */
  ignored: Line[]
  supersededBy: string | null
  /** Whether the remote's tags were read; if not, why. */
  remote: string
  /** The steps of a release, in order; empty if it would do nothing. */
  release: string[]
  /** The changes to the task definition, or why they are not known. */
  service: string[]
}

/**
 * Plans a release and changes nothing. Only the history decides the version; the registry and the service are read if
 * there are credentials for that.
 */
export async function plan(settings: Settings): Promise<Plan> {
  const found = await computeVersion(settings, { branch: true })
  const { decision, head, version, unasked } = found
  const [commits, ignored] = [decision.commits.filter(counts), decision.commits.filter(it => !counts(it))]
  return {
    version,
    current: decision.current,
    next: decision.next,
    bump: decision.bump,
    reason: decision.reason,
    base: { tag: decision.base, why: whyBase(found) },
    head: { commit: head.sha, date: head.date },
    commits: commits.map(line),
    ignored: ignored.map(line),
    supersededBy: decision.supersededBy,
    remote: unasked === undefined ? "its tags were read" : `its tags were not read: ${unasked}`,
    ...(await effects(found, settings)),
  }
}

/** The plan as a table for people to read. */
export function planTable(plan: Plan): string {
  const head = [
    `version  ${plan.version}  (${plan.bump}; now ${plan.current ?? "nothing released"})`,
    `because  ${plan.reason}`,
    `base     ${plan.base.tag ?? "none"}: ${plan.base.why}`,
    `commit   ${plan.head.commit}  ${plan.head.date}`,
    `remote   ${plan.remote}`,
  ]
  const rows = [...plan.commits, ...plan.ignored].map(it => [
    it.commit.slice(0, 7),
    it.effect,
    it.why,
    it.subject,
  ])
  const commits = rows.length === 0 ? [] : ["", table([["COMMIT", "EFFECT", "WHY", "SUBJECT"], ...rows])]
  const steps = plan.release.map((step, i) => `  ${i + 1}. ${step}`)
  return `${[
    ...head,
    ...commits,
    "",
    "A release would",
    ...(steps.length === 0 ? ["  do nothing"] : steps),
    "",
    "Service",
    ...plan.service.map(text => `  ${text}`),
  ].join("\n")}\n`
}

function counts({ effect, cancelled, parsed }: ClassifiedCommit): boolean {
  return effect !== "none" || (parsed.releaseAs !== undefined && !cancelled)
}

function line({ sha, parsed, effect, why }: ClassifiedCommit): Line {
  const subject = parsed.subject.length > 100 ? `${parsed.subject.slice(0, 99)}…` : parsed.subject
  return { commit: sha, subject, effect, why }
}

function whyBase({ decision, head }: ComputedVersion): string {
  if (decision.base === null) return "no version tag is merged into HEAD"
  if (head.atHead.some(({ tag }) => tag === decision.base)) return "HEAD itself has it"
  return `the highest of ${head.merged.length} version tag${head.merged.length === 1 ? "" : "s"} merged into HEAD`
}

async function effects(
  found: ComputedVersion,
  settings: Settings,
): Promise<Pick<Plan, "release" | "service">> {
  const refused = found.head.onBranch === false ? offBranch(found, settings) : undefined
  if (refused) return { release: [], service: refused.message.split("\n") }
  const idle = nothingToDo(found)
  if (idle && found.decision.supersededBy !== null) return { release: [], service: idle.trim().split("\n") }
  try {
    return await effectsOnAws(await openAws(settings), found, settings)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    const known = idle ? idle.trim().split("\n") : []
    return {
      release: idle ? [] : steps(found, settings, false),
      service: [...known, ...error.message.split("\n")],
    }
  }
}

async function effectsOnAws(
  aws: Aws,
  found: ComputedVersion,
  settings: Settings,
): Promise<Pick<Plan, "release" | "service">> {
  const { repository } = settings
  const { version, head } = found
  const lives = await preflights(aws, settings, version)
  const nothing = deploysNothing(found, lives)
  if (nothing) return { release: [], service: nothing.trim().split("\n") }
  return explained({ ...aws, repository }, async () => {
    const registry = await Registry.open(aws, repository)
    const commit = commitToDeploy(found)
    const image = await registry.find(commit)
    if (!image && commit !== head.sha) throw neverPushed(settings, version, lives[0] as Preflight)
    const reference = image?.reference ?? `${registry.uri}@(the digest from the build)`
    const targets = servicesOf(settings)
    const [changes, took] = await Promise.all([
      Promise.all(targets.map(where => changesTo(aws, where, { image: reference, version, commit }))),
      Promise.all(targets.map(where => lastSeconds(aws, where))),
    ])
    return {
      release: steps(found, settings, image !== undefined, Math.max(...took)),
      service: changes.flatMap((lines, at) =>
        targets.length > 1 ? [`${lives[at]?.name}:`, ...lines.map(line => `  ${line}`)] : lines,
      ),
    }
  })
}

/** What a release changes in one service's task definition, as lines. */
async function changesTo(
  aws: Aws,
  where: ServiceRef,
  release: { image: string; version: string; commit: string },
): Promise<string[]> {
  const target = await openService(aws, where)
  return explained(errorContext(target), async () => {
    const { taskDefinition = "" } = await describeService(target)
    const current = await describeRevision(target, taskDefinition)
    const base = where.template ? await describeRevision(target, where.template) : current
    const { unchanged, diff } = patch(
      current.definition,
      base.tags,
      { ...where, ...release },
      base.definition,
    )
    return unchanged ? [`${where.cluster}/${where.service} already runs ${release.version}`] : diff
  })
}

/** How long the service's last deployment that succeeded took, in seconds; 0 if ECS has no record of one. */
async function lastSeconds(aws: Aws, where: ServiceRef): Promise<number> {
  const recorded = await listServiceDeployments(await openService(aws, where))
  const last = recorded.find(({ status }) => status === "SUCCESSFUL")
  return ((last?.finishedAt?.getTime() ?? 0) - (last?.createdAt?.getTime() ?? 0)) / 1000
}

/** @param took seconds that the last deployment took, which is most of a release's time; 0 if that is not known */
function steps({ version, head }: ComputedVersion, settings: Settings, built: boolean, took = 0): string[] {
  const { tagPrefix, repository, cluster, service, testTarget, runtimeTarget, dockerfile } = settings
  const build = `build ${dockerfile} (stage ${runtimeTarget || "last"})`
  const before = [
    testTarget === "" ? build : `test (stage ${testTarget}) and, in parallel, ${build}`,
    `claim ${version}: push the tag ${tagPrefix}v${version} to the remote`,
    `push ${version} and ${head.sha} to the repository ${repository}`,
  ]
  const last = took > 0 ? `; the last deployment took ${Math.round(took)} s` : ""
  return [...(built ? [] : before), `deploy ${version} to ${cluster}/${service} by digest${last}`]
}

/** What a release of HEAD would do, in one line. If the version cannot be computed, the line says so; it does not throw. */
export async function outlook(
  settings: Settings,
  computing: Promise<ComputedVersion> = computeVersion(settings),
): Promise<string> {
  try {
    const found = await computing
    return nothingToDo(found) ?? `a release of HEAD would be ${found.version} (${found.decision.reason})\n`
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return `a release of HEAD would fail: ${error.message}\n`
  }
}
