import { openAws } from "./aws/account.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { deploy } from "./deploy.js"
import { commitOf } from "./ecr/image.js"
import { type Image, Registry } from "./ecr/registry.js"
import { scanGate } from "./ecr/scan.js"
import { Overtaken } from "./ecs/rollout.js"
import { claim, noRemote, refuseWithoutRight } from "./git/claim.js"
import { buildImage, contextOf, runTests } from "./image/build.js"
import { refuseDirty } from "./image/context.js"
import { UserError } from "./lib/errors.js"
import { isNewer } from "./lib/semver.js"
import { StepTimer } from "./lib/steps.js"
import { migrateOnce } from "./migrate.js"
import { type Preflight, preflight } from "./preflight.js"
import { deploymentOf, required, type Settings } from "./settings.js"
import { validate } from "./validate.js"
import { type ComputedVersion, computeVersion, offBranch, recomputeVersion } from "./version/compute.js"

/** How a release goes about it. */
export type ReleaseOptions = {
  timeoutSeconds: number
  /** The lowest severity of a scan's finding that stops the release; "" asks for no scan. */
  severity: string
  /** A shell command to run once from the new image before it is deployed; "" for none. */
  migrate: string
  print: (line: string) => void
}

/** A version whose image is in the registry. */
type Pushed = { image: Image; version: string; commit?: string }

/**
 * Takes a commit to a running service: version, test and build, claim, push, deploy. Each step is safe to repeat: what an
 * interrupted run has done is found again and not done twice.
 *
 * @returns a summary for a person; also if there is nothing to release, or HEAD is older than what is released
 */
export async function release(settings: Settings, options: ReleaseOptions): Promise<string> {
  const { print } = options
  validate(settings, { timeout: options.timeoutSeconds, severity: options.severity })
  const steps = new StepTimer(print)
  const found = await steps.run("version", () => computeVersion(settings, { release: true }))
  const refused = offBranch(found, settings)
  if (refused) throw refused
  print(`${found.version}: ${found.decision.reason}`)
  const { decision, version, head, shell } = found
  if (decision.supersededBy !== null) return superseded(head.sha, decision.supersededBy)
  const idle = nothingToRelease(found)
  if (!idle) await refuseDirty(shell.run)
  const aws = await openAws(settings)
  const live = await steps.run("check", () => preflight(aws, settings, version))
  if (isNewer(live.version, version)) return superseded(head.sha, live.version as string)
  if (live.rolledBack) {
    if (idle) return `${decision.reason}; ${live.rolledBack.why}, and ${live.name} runs ${live.version}\n`
    throw rolledBack(version, live)
  }
  if (idle && live.version === version && live.completed) {
    return `${decision.reason}; ${live.name} runs ${version}; nothing is deployed\n`
  }
  try {
    return idle
      ? await finish(aws, settings, found, live, steps, options)
      : await releaseHead(aws, settings, found, live, steps, options)
  } catch (error) {
    if (error instanceof Overtaken) return `${error.message}\n`
    throw error
  }
}

/** Tests, builds, claims, pushes and deploys HEAD. */
async function releaseHead(
  aws: Aws,
  settings: Settings,
  found: ComputedVersion,
  live: Preflight,
  steps: StepTimer,
  options: ReleaseOptions,
): Promise<string> {
  const pushed = await pushRelease(aws, settings, found, steps, options.print)
  if (typeof pushed === "string") return pushed
  const { image, found: claimed } = pushed
  const bringing = { image, version: claimed.version, commit: claimed.head.sha }
  return bring(aws, settings, claimed, bringing, live, steps, options)
}

/** Deploys a version that was claimed and pushed by an earlier run and that the service never got. */
async function finish(
  aws: Aws,
  settings: Settings,
  found: ComputedVersion,
  live: Preflight,
  steps: StepTimer,
  options: ReleaseOptions,
): Promise<string> {
  const { version, decision } = found
  const repository = required(settings.repository, "ECR repository", "--repository")
  const image = await explained({ ...aws, repository }, async () =>
    (await Registry.open(aws, repository)).find(version),
  )
  if (!image) throw neverPushed(settings, version, live)
  options.print(`${decision.reason}, but ${live.name} does not run ${version}: finishing its release`)
  return bring(aws, settings, found, { image, version, commit: commitOf(image.tags) }, live, steps, options)
}

/** Scan, migration and deployment of an image that is in the registry. */
async function bring(
  aws: Aws,
  settings: Settings,
  found: ComputedVersion,
  { image, version, commit }: Pushed,
  live: Preflight,
  steps: StepTimer,
  { severity, migrate, timeoutSeconds, print }: ReleaseOptions,
): Promise<string> {
  const { repository } = settings
  // Nobody else's newer version is replaced: not by a run that took long, and not by one that waited for a scan or a migration.
  const stillNewest = async () => {
    const { decision, head, unasked } = await recomputeVersion(found, settings, false)
    if (unasked !== undefined) throw notAsked(version, unasked)
    if (decision.supersededBy !== null) throw new Overtaken(superseded(head.sha, decision.supersededBy))
  }
  if (severity !== "" || migrate !== "") await stillNewest()
  if (severity !== "") {
    await steps.run("scan", () => scanGate(aws, { repository, digest: image.digest, severity, print }))
  }
  const options = {
    ...deploymentOf(settings),
    image: image.reference,
    version,
    commit,
    timeoutSeconds,
    print,
    keepNewer: true,
    beforeUpdate: stillNewest,
  }
  if (migrate !== "") await steps.run("migrate", () => migrateOnce(aws, options, migrate))
  const { text } = await steps.run("deploy", () => deploy(aws, options))
  // Nothing that can fail comes after the deployment: it has happened.
  return `${[
    text,
    "",
    `version   ${version}`,
    `commit    ${commit ?? "not known"}`,
    `image     ${image.reference}`,
    `service   ${live.name} (${settings.region}, account ${live.account})`,
    `url       ${live.url ?? "not known: set --url, or tag the service ecs-release:url"}`,
    `time      ${steps.summary()}`,
  ].join("\n")}\n`
}

/** What to say of a commit of which there is nothing to release; undefined if there is something. */
export function nothingToDo(found: ComputedVersion): string | undefined {
  const { decision, head } = found
  if (decision.supersededBy !== null) return superseded(head.sha, decision.supersededBy)
  if (!nothingToRelease(found)) return undefined
  return `${decision.reason}; a release would only make sure that the service runs ${found.version}\n`
}

/** Whether the commits since the last version change nothing; HEAD itself may be that version. */
function nothingToRelease({ decision, version, head }: ComputedVersion): boolean {
  return decision.next === null && !head.atHead.some(tag => tag.version === version)
}

function superseded(head: string, by: string): string {
  return (
    `superseded: ${head.slice(0, 7)} is older than ${by}, which is released; nothing is deployed\n` +
    `→ To run an older version on purpose: rollback --to, or deploy --image\n`
  )
}

/** What a release of HEAD would do, in one line; a version that cannot be told is no reason to fail. */
export async function outlook(settings: Settings): Promise<string> {
  try {
    const found = await computeVersion(settings)
    return nothingToDo(found) ?? `a release of HEAD would bring ${found.version} (${found.decision.reason})\n`
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return `a release of HEAD would fail: ${error.message}\n`
  }
}

function rolledBack(version: string, { rolledBack }: Preflight): UserError {
  return new UserError(
    `${version} is not deployed: ${rolledBack?.why}.`,
    "",
    `Fix it in a new commit and release that, or bring it back on purpose: deploy --image ${version}`,
  )
}

function notAsked(version: string, why: string): UserError {
  return new UserError(
    `${version} is not deployed: the remote could not be asked whether a newer version was released meanwhile.`,
    why,
    "Nothing is lost: run the same command again once the remote answers.",
  )
}

function neverPushed(
  { tagPrefix, repository }: Settings,
  version: string,
  { name, ...live }: Preflight,
): UserError {
  const tag = `${tagPrefix}v${version}`
  return new UserError(
    `${version} was claimed and never released: ${name} runs ${live.version ?? "no version"}, and the repository "${repository}" has no image ${version}.`,
    `The run that pushed the tag ${tag} is still at work, or died.`,
    `If no other run is at work, finish it: git checkout ${tag} && dagger call release`,
  )
}

/**
 * Makes sure that the commit's image is in the registry: tests and builds it, claims its version, pushes it, unless all that
 * is done already.
 *
 * @returns the image, and the commit's version as it was claimed; what to say if another run has overtaken this one
 */
export async function pushRelease(
  aws: Aws,
  settings: Settings,
  found: ComputedVersion,
  steps: StepTimer,
  print: (line: string) => void,
): Promise<{ image: Image; found: ComputedVersion } | string> {
  const repository = required(settings.repository, "ECR repository", "--repository")
  return explained({ ...aws, repository }, async () => {
    const registry = await Registry.open(aws, repository, settings.awsEndpoint)
    const head = found.head.sha
    const before = await registry.findRelease(found.version, head)
    if (before) {
      print(`${found.version} is in the registry already, from this commit (${before.digest})`)
      return { image: before, found }
    }
    if (registry.tagsCanMove) {
      print(
        `warning: tags in ${repository} can be moved to another image; make them immutable: aws ecr put-image-tag-mutability --repository-name ${repository} --image-tag-mutability IMMUTABLE`,
      )
    }
    const { remote, shell } = found
    if (!remote) throw noRemote(tagOf(settings, found), found.unasked ?? "")
    await refuseWithoutRight(shell.remote, remote.url, head, tagOf(settings, found))
    const context = await contextOf(found, settings)
    await Promise.all([
      settings.testTarget && steps.run("test", () => runTests(context, settings, found.version)),
      steps.run("build", async () => (await buildImage(context, settings, found, found.version)).sync()),
    ])
    const claimed = await steps.run("claim", () => claimVersion(settings, found, remote.url, print))
    const late = nothingToDo(claimed)
    if (late) return late
    const build = () => buildImage(context, settings, claimed, claimed.version)
    const image = await steps.run("push", () => registry.push(build, claimed.version, head))
    print(`${claimed.version} and ${head} are ${image.digest}`)
    return { image, found: claimed }
  })
}

/** Claims the version; if another commit was quicker, the next one. */
async function claimVersion(
  settings: Settings,
  found: ComputedVersion,
  url: string,
  print: (line: string) => void,
): Promise<ComputedVersion> {
  for (let now = found; ; ) {
    const tag = tagOf(settings, now)
    const claimed = await claim(now.shell.remote, url, now.head.sha, tag)
    if (claimed.won) {
      print(`${tag} ${claimed.repeated ? "is this commit's already" : "claimed for this commit"}`)
      return now
    }
    print(`${tag} went to commit ${claimed.holder.slice(0, 7)} meanwhile; computing the version anew`)
    now = await recomputeVersion(now, settings, true)
    if (nothingToDo(now)) return now
  }
}

function tagOf({ tagPrefix }: Settings, { version }: ComputedVersion): string {
  return `${tagPrefix}v${version}`
}
