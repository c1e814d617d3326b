import semver from "semver"
import { announced } from "./announce.js"
import type { Requirement } from "./attestation/verify.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { changelogBetween } from "./changelog.js"
import { copyAttached, copyImage } from "./ecr/copy.js"
import { accessTo, accessToImage } from "./ecr/distribution.js"
import { isInRepository, parseImage } from "./ecr/image.js"
import { Registry } from "./ecr/registry.js"
import type { DeployResult } from "./ecs/result.js"
import {
  currentRevision,
  describeRevision,
  type Revision,
  readRevision,
  recentRevisions,
} from "./ecs/revision.js"
import { readPast, rolledBackError, wasRolledBack } from "./ecs/rolled-back.js"
import {
  describeService,
  errorContext,
  inProgress,
  isCompleted,
  openService,
  primaryOf,
  revisionOf,
} from "./ecs/service.js"
import { urlOf } from "./ecs/url.js"
import { history } from "./history.js"
import { UserError } from "./lib/errors.js"
import { isNewer, withoutV } from "./lib/semver.js"
import { requireProof } from "./proof.js"
import { required, type ServiceRef, type Settings, servicesOf } from "./settings.js"
import { deployChecked } from "./smoke.js"
import type { Stage } from "./stages.js"

/** A stage, and how to call AWS there. */
export type Place = { stage: Stage; aws: Aws }

/** How to carry out a promotion. */
export type PromoteOptions = {
  /** The version to promote; what runs in the stage before if left out. */
  version?: string
  /** The checks that the image has to pass. */
  require: Requirement[]
  /** The arguments by which the caller says what is trusted. */
  given?: Pick<Settings, "signingKey" | "branch">
  /** A shell command that checks the new version once it is deployed; "" for none. */
  smoke: string
  timeoutSeconds: number
  waitForApproval?: boolean
  /** The app's name, if it has one. */
  app?: string
  print: (line: string) => void
}

/** An image that completed in a stage. */
type Proven = { image: string; digest: string; version: string; commit?: string }

/** How a promotion ended. */
export type Promoted = Proven & {
  /** The version that the stage had before. */
  before?: string
  /** Versions between that one and the new one, which the stage skips. */
  skipped: string[]
  /** What changed between the two, in Markdown; "" if the history does not show it. */
  changelog: string
  ends: DeployResult[]
}

/**
 * Promotes the image that completed in the previous stage to a stage, by digest; it builds nothing. ECS's own record, or the tags that
 * this pipeline left on the task definition, show that it completed there.
 *
 * @throws UserError if it did not complete there, was rolled back there or here, or if the stage has a newer version; DeployError as
 *   `deploy` does
 */
export async function promote(from: Place, to: Place, options: PromoteOptions): Promise<Promoted> {
  const { print, timeoutSeconds, waitForApproval } = options
  const wanted = options.version && withoutV(options.version)
  const proven = await provenIn(from, wanted)
  const { version, commit, digest } = proven
  const targets = servicesOf(to.stage.settings)
  const now = await Promise.all(targets.map(where => currentRevision(to.aws, where)))
  const newer = now.find(it => isNewer(it.released, version))
  if (newer) {
    throw new UserError(
      `${to.stage.name} has ${newer.released}, which is newer than ${version} in ${from.stage.name}.`,
      "",
      `To go back on purpose: dagger call --stage ${to.stage.name} rollback --to ${version}`,
    )
  }
  for (const where of wanted === undefined ? targets : []) {
    const back = await wasRolledBack(to.aws, { ...where, version })
    if (back) throw rolledBackError(version, back)
  }
  if (wanted === undefined) await refuseBusy(to, version)
  const before = now.find(it => it.version !== version)?.version
  const skipped = await versionsBetween(from, before, version)
  const changelog = await changesSince(to.stage.settings, now.find(it => it.commit)?.commit, proven, print)
  print(`${from.stage.name} → ${to.stage.name}: ${version} (${digest})`)
  if (before !== undefined)
    print(`${to.stage.name} has ${before}${skipped.length > 0 ? `; skipped: ${skipped.join(", ")}` : ""}`)
  for (const line of changelog.trimEnd().split("\n")) if (changelog !== "") print(line)
  await requireProof(to.aws, to.stage.settings, proven, options.require, {
    there: from.aws,
    given: options.given,
  })
  const image = await imageFor(from, to, proven, print)
  const follow = { timeoutSeconds, waitForApproval, print }
  const runs = targets.map(where => ({ ...where, image, version, commit, keepNewer: true, ...follow }))
  const { repository, tagPrefix } = to.stage.settings
  const url = await urlOf(to.aws, to.stage.settings.url, targets[0])
  const about = { action: "promote", app: options.app, stage: to.stage.name, version, commit }
  const smoke = { command: options.smoke, url, repository, tagPrefix }
  const ends = await announced(to.stage.settings, about, print, hooks =>
    deployChecked(
      to.aws,
      runs.map(run => ({ ...run, ...hooks })),
      smoke,
    ),
  )
  return { ...proven, image, before, skipped, changelog, ends }
}

/** Another deployment of this pipeline in progress, such as one that was just approved, is only replaced if the caller asks for it. */
async function refuseBusy({ stage, aws }: Place, version: string): Promise<void> {
  for (const where of servicesOf(stage.settings)) {
    const target = await openService(aws, where)
    const service = await explained(errorContext(target), () => describeService(target))
    const busy = inProgress(service)
    if (!busy) continue
    const current = readRevision(await describeRevision(target, revisionOf(service)), where.container)
    if (current.version === version) continue
    throw new UserError(
      `${stage.name} is still deploying ${current.version ?? "something else"}, and ${version} would replace it.`,
      busy.rolloutStateReason,
      `Follow that one: promote --to ${stage.name} --version ${current.version}. Or replace it: --version ${version}`,
    )
  }
}

/** The changes are for information: if the history cannot be read, the promotion goes on. */
async function changesSince(
  settings: Settings,
  since: string | undefined,
  proven: Proven,
  print: PromoteOptions["print"],
): Promise<string> {
  try {
    const text = await changelogBetween(settings, since, proven)
    if (text === "" && proven.commit !== since)
      print("changes: not known, since the repository here does not have both commits")
    return text
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    print(`changes: not known: ${error.message}`)
    return ""
  }
}

/** The image that completed in a stage: the named version's, or the one that runs there. */
async function provenIn({ stage, aws }: Place, wanted: string | undefined): Promise<Proven> {
  const found = await Promise.all(
    servicesOf(stage.settings).map(where => completedOn(aws, stage.name, where, wanted)),
  )
  const [first, ...others] = found as [Proven, ...Proven[]]
  const other = others.find(it => it.digest !== first.digest)
  if (!other) {
    await assertReleased({ stage, aws }, first)
    return first
  }
  throw new UserError(
    `The services of ${stage.name} run different images: ${first.version} and ${other.version}.`,
    "",
    "Release or roll back until they run the same one, then promote it.",
  )
}

/** The registry has to have the digest under that version too: otherwise somebody else deployed it under that version's name. */
async function assertReleased({ stage, aws }: Place, { image, digest, version }: Proven): Promise<void> {
  const repository = repositoryOf(stage.settings)
  await explained({ ...aws, repository }, async () => {
    // If the stage pulls its images, this one is in an earlier stage's registry, and was checked there.
    if (stage.images === "pull" && !(await isInRepository(aws, repository, image))) return
    const found = await (await Registry.open(aws, repository)).find(version)
    if (found?.digest === digest) return
    throw new UserError(
      `What runs in ${stage.name} as ${version} is not the image that was released as ${version}.`,
      `It runs ${digest}; the repository "${repository}" has ${found?.digest ?? "no such version"}.`,
      `Release in ${stage.name} again, then promote.`,
    )
  })
}

async function completedOn(
  aws: Aws,
  stage: string,
  where: ServiceRef,
  wanted: string | undefined,
): Promise<Proven> {
  const target = await openService(aws, where)
  return explained(errorContext(target), async () => {
    const service = await describeService(target)
    const name = `${where.cluster}/${where.service}`
    const [current, past] = await Promise.all([
      describeRevision(target, revisionOf(service)),
      readPast(target, service),
    ])
    const running = readRevision(current, where.container)
    const primary = primaryOf(service)
    const isRunning = wanted === undefined || wanted === running.version
    if (isRunning) {
      if (primary && isCompleted(service, primary)) return proven(running, stage)
      if (past.succeeded.has(running.arn) && !running.rolledBack) return proven(running, stage)
      throw new UserError(
        `${running.version ?? "What runs"} has not completed in ${stage}.`,
        `${name}: ${primary?.rolloutStateReason ?? "its deployment is in progress"}`,
        `Wait for it ('--stage ${stage} status' shows it), or promote a version that completed: --version X.Y.Z`,
      )
    }
    const revisions = await recentRevisions(target, current.definition.family ?? "", where.container)
    const found = revisions.find(({ version }) => version === wanted)
    if (found === undefined) {
      throw new UserError(
        `${wanted} never ran in ${stage}.`,
        `${name} runs ${running.version}.`,
        "Release it there first.",
      )
    }
    const { arn, completed, rejected, rolledBack } = found
    const refused = (why: string) =>
      new UserError(
        `${wanted} is not promoted: ${why}.`,
        `${name} runs ${running.version}.`,
        "Fix it in a new version, and release that.",
      )
    if (rejected) throw refused(`it was rejected in ${stage} by ${rejected}`)
    if (rolledBack) throw refused(`it was rolled back in ${stage} at ${rolledBack}`)
    if (past.failed.has(arn)) throw refused(`its deployment in ${stage} failed`)
    if (!completed && !past.succeeded.has(arn)) throw refused(`it never completed in ${stage}`)
    const back = await wasRolledBack(aws, { ...where, version: wanted })
    if (back) throw refused(`${back.why} in ${stage}`)
    return proven(found, stage)
  })
}

function proven({ image = "", version, commit }: Revision, stage: string): Proven {
  const { digest } = parseImage(image)
  if (digest !== undefined && version !== undefined) return { image, digest, version, commit }
  throw new UserError(
    `The image that runs in ${stage} is not a release of this pipeline: ${image || "there is none"}.`,
    digest === undefined ? "It is not pinned by digest." : "It has no version.",
    `Release there first: dagger call release --stage ${stage}`,
  )
}

/** The versions in the registry between two. */
async function versionsBetween({ stage, aws }: Place, before: string | undefined, version: string) {
  if (semver.valid(before) === null) return []
  const { versions } = await history(aws, { repository: repositoryOf(stage.settings) })
  return versions
    .map(it => it.version)
    .filter(it => isNewer(it, before as string) && isNewer(version, it))
    .reverse()
}

function repositoryOf(settings: Settings): string {
  return required(settings.repository, "ECR repository", "--repository")
}

/** The image for the stage: it is already in the stage's registry, is copied there, or stays where it is. */
async function imageFor(
  from: Place,
  to: Place,
  { image, digest, version, commit }: Proven,
  print: PromoteOptions["print"],
) {
  if (to.stage.images === "pull") return image
  const repository = repositoryOf(to.stage.settings)
  // Find where it really is: if a stage pulls its images, they are in an earlier stage's registry.
  const { repository: source, region = from.aws.region } = parseImage(image)
  return explained({ ...to.aws, repository }, async () => {
    const registry = await Registry.open(to.aws, repository)
    if (parseImage(image).uri === registry.uri) return image
    const there = { ...from.aws, region }
    const origin = await explained({ ...there, repository: source }, () => accessToImage(there, image))
    const target = await accessTo(to.aws, repository)
    const copy = (tag: string) => {
      print(`copying ${digest} to ${registry.uri}`)
      return copyImage(origin, target, digest, tag)
    }
    const taken = await registry.take(copy, { digest, version, commit })
    // Do this even if the image was there: it may have been signed since, or an earlier run may have died.
    await copyAttached(origin, target, digest)
    return taken.reference
  })
}
