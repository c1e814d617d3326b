import { accountOf, openAws, required } from "./account.js"
import type { Aws } from "./aws.js"
import { explained } from "./awserror.js"
import { buildImage, contextOf, runTests } from "./build.js"
import { claim, noRemote, refuseWithoutRight } from "./claim.js"
import { refuseDirty } from "./context.js"
import { deploy } from "./deploy.js"
import { UserError } from "./errors.js"
import { type Image, Registry } from "./registry.js"
import { wasRolledBack } from "./rollback.js"
import { runTask } from "./run.js"
import { scanGate } from "./scan.js"
import { assertDeployable, describeService, open } from "./service.js"
import type { Settings } from "./settings.js"
import { Steps } from "./steps.js"
import { resurvey, type Survey, survey } from "./survey.js"
import { urlOf } from "./url.js"

/** How a release goes about it. */
export type ReleaseOptions = {
  timeoutSeconds: number
  /** The lowest severity of a scan's finding that stops the release; "" asks for no scan. */
  severity: string
  /** A shell command to run once from the new image before it is deployed; "" for none. */
  migrate: string
  print: (line: string) => void
}

/**
 * Takes a commit to a running service: version, test and build, claim, push, deploy. Each step is safe to repeat: what an
 * interrupted run has done is found again and not done twice.
 *
 * @returns a summary for a person; also where there is nothing to release, or HEAD is older than what is released
 */
export async function release(settings: Settings, options: ReleaseOptions): Promise<string> {
  const { print } = options
  const steps = new Steps(print)
  const found = await steps.run("version", () => survey(settings))
  print(`${found.version}: ${found.decision.reason}`)
  const idle = nothingToDo(found)
  if (idle) return idle
  await refuseDirty(found.shell.run)
  const aws = await openAws(settings)
  const account = await steps.run("check", () => check(aws, settings, found.version))
  const pushed = await pushRelease(aws, settings, found, steps, print)
  if (typeof pushed === "string") return pushed
  const { image, found: claimed } = pushed
  const late = nothingToDo(await resurvey(claimed, settings, false))
  if (late) return late
  const text = await bring(aws, settings, claimed, image, steps, options)
  return `${[
    text,
    "",
    `version   ${claimed.version}`,
    `commit    ${claimed.facts.head}`,
    `image     ${image.reference}`,
    `service   ${settings.cluster}/${settings.service} (${settings.region}, account ${account})`,
    `url       ${(await urlOf(aws, settings)) ?? "not known: set --url, or tag the service ecs-release:url"}`,
    `time      ${steps.summary()}`,
  ].join("\n")}\n`
}

/** Scan, migration and deployment of an image that is in the registry. */
async function bring(
  aws: Aws,
  settings: Settings,
  { version, facts }: Survey,
  image: Image,
  steps: Steps,
  { severity, migrate, timeoutSeconds, print }: ReleaseOptions,
): Promise<string> {
  const { repository } = settings
  if (severity !== "") {
    await steps.run("scan", () => scanGate(aws, { repository, digest: image.digest, severity, print }))
  }
  const options = {
    ...deploymentOf(settings),
    image: image.reference,
    version,
    commit: facts.head,
    timeoutSeconds,
    print,
  }
  if (migrate !== "") {
    await steps.run("migrate", () => runTask(aws, { ...options, command: ["sh", "-c", migrate] }))
  }
  return (await steps.run("deploy", () => deploy(aws, options))).text
}

/** The service that is deployed to. */
export function targetOf({ cluster, service, container }: Settings) {
  return {
    cluster: required(cluster, "ECS cluster", "--cluster"),
    service: required(service, "ECS service", "--service"),
    container: container || undefined,
  }
}

/** The words for a commit of which there is nothing to release; undefined where there is. */
export function nothingToDo({ decision, version, facts }: Survey): string | undefined {
  if (decision.supersededBy !== null) {
    return (
      `superseded: ${facts.head.slice(0, 7)} is older than ${decision.supersededBy}, which is released; ` +
      `nothing is deployed\n→ To run an older version on purpose: rollback --to, or deploy --image\n`
    )
  }
  const onHead = facts.atHead.some(tag => tag.version === version)
  if (decision.next !== null || onHead) return undefined
  return `${decision.reason}; nothing is deployed\n`
}

/** The service, and where the settings of a deployment come from. */
export function deploymentOf(settings: Settings) {
  return { ...targetOf(settings), template: settings.template || undefined }
}

/** What a release of HEAD would do, in one line; a version that cannot be told is no reason to fail. */
export async function outlook(settings: Settings): Promise<string> {
  try {
    const found = await survey(settings)
    return nothingToDo(found) ?? `a release of HEAD would bring ${found.version} (${found.decision.reason})\n`
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return `a release of HEAD would fail: ${error.message}\n`
  }
}

/** Refuses what could only fail later: unknown credentials, no service to deploy to, a version that was taken back. */
async function check(aws: Aws, settings: Settings, version: string): Promise<string> {
  const where = targetOf(settings)
  const account = await accountOf(aws)
  await explained({ ...aws, ...where }, async () => {
    const target = await open(aws, where)
    assertDeployable(await describeService(target), target)
  })
  const back = await wasRolledBack(aws, { ...where, version })
  if (!back) return account
  throw new UserError(
    `${version} is not deployed: ${back.why}.`,
    "",
    `Mend it in a new commit and release that, or bring it back on purpose: deploy --image ${version}`,
  )
}

/**
 * Sees to it that the commit's image is in the registry: tests and builds it, claims its version, pushes it, unless all that
 * is done already.
 *
 * @returns the image, and the commit's version as it was claimed; words where another run has overtaken this one
 */
export async function pushRelease(
  aws: Aws,
  settings: Settings,
  found: Survey,
  steps: Steps,
  print: (line: string) => void,
): Promise<{ image: Image; found: Survey } | string> {
  const repository = required(settings.repository, "ECR repository", "--repository")
  return explained({ ...aws, repository }, async () => {
    const registry = await Registry.open(aws, repository, settings.awsEndpoint)
    const { head } = found.facts
    const before = await registry.findRelease(found.version, head)
    if (before) {
      print(`${found.version} is in the registry already, from this commit (${before.digest})`)
      return { image: before, found }
    }
    const { remote, shell } = found
    if (!remote) throw noRemote(tagOf(settings, found), found.unasked ?? "")
    await refuseWithoutRight(shell.run, remote.url, head, tagOf(settings, found))
    const context = await contextOf(found, settings)
    await Promise.all([
      settings.testTarget && steps.run("test", () => runTests(context, settings, found.version)),
      steps.run("build", async () => (await buildImage(context, settings, found)).sync()),
    ])
    const claimed = await steps.run("claim", () => claimVersion(settings, found, remote.url, print))
    const late = nothingToDo(claimed)
    if (late) return late
    const build = () => buildImage(context, settings, claimed)
    const image = await steps.run("push", () => registry.push(build, claimed.version, head))
    print(`${claimed.version} and ${head} are ${image.digest}`)
    return { image, found: claimed }
  })
}

/** Claims the version; where another commit was quicker, the next one. */
async function claimVersion(
  settings: Settings,
  found: Survey,
  url: string,
  print: (line: string) => void,
): Promise<Survey> {
  for (let now = found; ; ) {
    const tag = tagOf(settings, now)
    const claimed = await claim(now.shell.run, url, now.facts.head, tag)
    if (claimed.won) {
      print(`${tag} ${claimed.repeated ? "is this commit's already" : "claimed for this commit"}`)
      return now
    }
    print(`${tag} went to commit ${claimed.holder.slice(0, 7)} meanwhile; computing the version anew`)
    now = await resurvey(now, settings, true)
    if (nothingToDo(now)) return now
  }
}

function tagOf({ tagPrefix }: Settings, { version }: Survey): string {
  return `${tagPrefix}v${version}`
}
