import type { Announcer, Subject } from "./announce/announcer.js"
import { announcerOf, subjectOf } from "./announce.js"
import { openSigningKey } from "./attestation/key.js"
import { openAws } from "./aws/account.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { planDeploy } from "./deploy.js"
import { type Image, Registry } from "./ecr/registry.js"
import { scanGate } from "./ecr/scan.js"
import { type DeployResult, outcomeOf } from "./ecs/result.js"
import { rolledBackError, wasRolledBack } from "./ecs/rolled-back.js"
import { Overtaken } from "./ecs/rollout.js"
import { contextOf } from "./image/build.js"
import { refuseChanges } from "./image/context.js"
import { StepTimer } from "./lib/steps.js"
import { migrateOnce } from "./migrate.js"
import { type Preflight, preflights, serviceNames } from "./preflight.js"
import { assertProved } from "./proof.js"
import type { PublishingHost } from "./publish/host.js"
import { hostListener, publishingHost, publishRelease } from "./publish.js"
import { neverPushed, pushRelease, warnUnattached } from "./push.js"
import { deploysNothing, isLive } from "./release-decision.js"
import { type ServiceEnd, serviceEnd } from "./service-set.js"
import { required, type ServiceRef, type Settings, servicesOf } from "./settings.js"
import { deployChecked } from "./smoke.js"
import { verify } from "./verify.js"
import {
  type ComputedVersion,
  commitToDeploy,
  computeVersion,
  nothingToRelease,
  offBranch,
  recomputeVersion,
  superseded,
} from "./version/compute.js"

/** How to carry out a release. */
export type ReleaseOptions = {
  timeoutSeconds: number
  /** Keep following while ECS waits for a person. */
  waitForApproval?: boolean
  /** The lowest severity of a scan finding that stops the release; "" to check no scan. */
  severity: string
  /** A shell command that checks the new version once it is deployed; "" for none. */
  smoke: string
  /** A shell command to run once from the new image before it is deployed; "" for none. */
  migrate: string
  /** Create the release on the site that hosts the repository, and show its progress there. */
  publish: boolean
  /** The app's and the stage's name, if they have one. */
  app?: string
  stage?: string
  print: (line: string) => void
}

/** A version whose image is in the registry. */
type ImageToDeploy = { image: Image; version: string; commit?: string }

/** How a release ended well. */
export type Released = {
  outcome: DeployResult["word"] | "superseded" | "nothing"
  /** The end in words, for a person. */
  text: string
  /** The version that the release was about; "" if the history has none. */
  version: string
  /** Whether the services run that version now. */
  isLive: boolean
  /** What runs now; left out if nothing was deployed and nothing was looked up. */
  deployed?: ReleaseFacts
}

/** What a release deployed, or found already running. */
export type ReleaseFacts = {
  commit?: string
  image: Image
  services: ServiceEnd[]
  region: string
  account: string
  /** Seconds that each step took. */
  seconds: { [step: string]: number }
  /** The steps on the critical path, which decided how long it took. */
  criticalPath: string[]
}

/** The end of a release that deploys nothing: its text says why. */
function nothingDeployed({ version }: ComputedVersion, text: string, isLive = false): Released {
  return { outcome: text.startsWith("superseded") ? "superseded" : "nothing", text, version, isLive }
}

/** A release in progress. AWS's answers are awaited only if the version turns out to need them. */
type Run = {
  settings: Settings
  steps: StepTimer
  options: ReleaseOptions
  announcer: Announcer
  looking: Promise<LiveServices>
  /** The commit's version, as last computed. */
  found: ComputedVersion
}

/** AWS, and what the services run. */
type LiveServices = { aws: Aws; lives: Preflight[] }

async function look(settings: Settings, version: string | Promise<string>): Promise<LiveServices> {
  const aws = await openAws(settings)
  return { aws, lives: await preflights(aws, settings, version) }
}

/**
 * Takes a commit to a running service: version, test and build, claim, push, deploy. Each step is safe to repeat: work that an
 * interrupted run has done is found and not repeated. Notifications are sent in the background.
 *
 * @param settings as `validate` lets them through
 * @returns how it ended, even if there is nothing to release, or HEAD is older than what is released
 */
export async function release(settings: Settings, options: ReleaseOptions): Promise<Released> {
  const announcer = await announcerOf(settings, options.print)
  const { found, host, ...released } = await announcer.around(
    () => releaseCommit(settings, options, announcer),
    ({ outcome, text, deployed }) => ({
      state: outcome,
      text: firstPart(text),
      url: deployed?.services[0]?.url,
    }),
  )
  if (!host || !released.isLive) return released
  const { line, isNew } = await publishRelease(host, settings, found, released.version)
  // An earlier run started it and did not see its end.
  if (isNew && !announcer.begun) await announcer.catchUp("completed", firstPart(released.text))
  return { ...released, text: `${released.text.trimEnd()}\n${line}\n` }
}

/** The end in words, without the summary below it. */
function firstPart(text: string): string {
  return text.split("\n\n", 1)[0] ?? ""
}

async function releaseCommit(
  settings: Settings,
  options: ReleaseOptions,
  announcer: Announcer,
): Promise<Released & { found: ComputedVersion; host?: PublishingHost }> {
  const steps = new StepTimer(options.print)
  const computing = steps.run("version", () => computeVersion(settings, { release: true }))
  const version = computing.then(found => found.version)
  const looking = look(settings, version)
  // They are awaited when they are needed, which may be never.
  for (const promise of [version, looking]) promise.catch(() => {})
  const found = await computing
  const refused = offBranch(found, settings)
  if (refused) throw refused
  const host = options.publish ? await publishingHost(settings, found.repository) : undefined
  if (host) announcer.add(hostListener(host, settings, found))
  options.print(`${found.version || "no version"}: ${found.decision.reason}`)
  if (found.decision.supersededBy !== null) {
    return { found, host, ...nothingDeployed(found, superseded(found, found.decision.supersededBy)) }
  }
  const run: Run = { settings, steps, options, announcer, looking, found }
  try {
    const end = nothingToRelease(found) ? await settle(run) : await releaseHead(run)
    return { found: run.found, host, ...end }
  } catch (error) {
    if (error instanceof Overtaken) return { found, host, ...nothingDeployed(found, `${error.message}\n`) }
    throw error
  }
}

/** The subject of the notifications about a version. */
function subject({ settings, options }: Run, version: string, commit: string): Subject {
  const { app, stage } = options
  return subjectOf(settings, { action: "release", app, stage, version, commit })
}

/** Tests, builds, claims, pushes and deploys HEAD. */
async function releaseHead(run: Run): Promise<Released> {
  const { settings, steps, options, looking, announcer, found } = run
  const context = await contextOf(found, settings)
  refuseChanges(context)
  const seen = await steps.run("check", () => looking)
  const { aws, lives } = seen
  const nothing = deploysNothing(found, lives)
  if (nothing) return nothingDeployed(found, nothing, isLive(found, lives))
  const about = subject(run, found.version, found.head.sha)
  if (isLive(found, lives)) announcer.expect(about)
  else announcer.start(about)
  const pushed = await pushRelease(
    { aws, settings, found, context, steps, print: options.print },
    { check: () => verify(aws, settings), isLive: isLive(found, lives) },
  )
  run.found = "overtaken" in pushed ? pushed.overtaken : pushed.found
  if ("overtaken" in pushed) {
    const { decision, version } = pushed.overtaken
    if (decision.supersededBy !== null) {
      return nothingDeployed(run.found, superseded(run.found, decision.supersededBy))
    }
    // The other run may have deployed since.
    run.looking = look(settings, version)
    return settle(run)
  }
  const { version, head } = pushed.found
  announcer.about({ version, commit: head.sha })
  try {
    return await bring(run, seen, { image: pushed.image, version, commit: head.sha })
  } finally {
    await attached(pushed.attaching, options.print)
  }
}

/** Waits for the SBOM and provenance to be attached: if that fails, the deployment has still happened. */
async function attached(attaching: Promise<void>, print: (line: string) => void): Promise<void> {
  try {
    await attaching
  } catch (error) {
    warnUnattached(error, print)
    print("warning: run 'dagger call push' on this commit to attach them")
  }
}

/** Ends a release that brings nothing new: the service runs the version already, or gets it now if it was claimed but never deployed. */
async function settle(run: Run): Promise<Released> {
  const { settings, steps, options, looking, announcer, found } = run
  const { version, decision } = found
  const repository = required(settings.repository, "ECR repository", "--repository")
  const seen = await steps.run("check", () => looking)
  const { aws, lives } = seen
  const commit = commitToDeploy(found)
  announcer.expect(subject(run, version, commit))
  const nothing = deploysNothing(found, lives)
  if (nothing) return nothingDeployed(found, nothing, isLive(found, lives))
  // Use the image of the commit that claimed the version, not whatever image is tagged with its number.
  announcer.start()
  const image = await explained({ ...aws, repository }, async () => {
    const registry = await Registry.open(aws, repository)
    const key = await openSigningKey(aws, settings)
    return registry.push(
      () => Promise.reject(neverPushed(settings, version, lives[0] as Preflight)),
      version,
      commit,
      {
        vouch: key && {
          attest: async () => {},
          check: ({ digest }) => assertProved(aws, settings, found, { digest, version, commit }, key),
        },
      },
    )
  })
  options.print(
    `${decision.reason}, but ${serviceNames(lives)} ${lives.length > 1 ? "do not all run" : "does not run"} ${version}: finishing its release`,
  )
  return bring(run, seen, { image, version, commit })
}

/** Scan, migration and deployment of an image that is in the registry. */
async function bring(
  run: Run,
  { aws, lives }: LiveServices,
  { image, version, commit }: ImageToDeploy,
): Promise<Released> {
  const { settings, steps, options, announcer, found } = run
  const { repository } = settings
  const { severity, migrate, smoke: command, timeoutSeconds, waitForApproval, print } = options
  // Check again after everything that takes time: was a newer version released, or this one rolled back?
  const stillWanted = async () => {
    const now = await recomputeVersion(found, settings, false)
    if (now.decision.supersededBy !== null)
      throw new Overtaken(superseded(now, now.decision.supersededBy).trim())
    for (const where of servicesOf(settings)) {
      const rolledBack = await wasRolledBack(aws, { ...where, version })
      if (rolledBack) throw rolledBackError(version, rolledBack)
    }
  }
  let asked: Promise<void> | undefined
  const deployments = servicesOf(settings).map(where => ({
    ...where,
    image: image.reference,
    version,
    commit,
    timeoutSeconds,
    waitForApproval,
    print,
    keepNewer: true,
    // Once for all services, when the first is about to be updated.
    beforeUpdate: async () => {
      asked ??= stillWanted()
      await asked
      // If the release only brings new settings, no start was announced before.
      announcer.start()
    },
    onPause: announcer.pause.bind(announcer),
  }))
  const plans = await Promise.all(deployments.map(it => planDeploy(aws, it)))
  const isThere = plans.every(({ action }) => action.kind === "unchanged" || action.kind === "follow")
  if (!isThere && (severity !== "" || migrate !== "")) await stillWanted()
  if (!isThere && severity !== "") {
    await steps.run("scan", async () => {
      for (const digest of await (await Registry.open(aws, repository)).imagesOf(image.digest)) {
        await scanGate(aws, { repository, digest, severity, print })
      }
    })
  }
  const [first] = deployments
  if (first && !isThere && migrate !== "") await steps.run("migrate", () => migrateOnce(aws, first, migrate))
  const { tagPrefix } = settings
  const smoke = { command, url: lives[0]?.url, repository, tagPrefix }
  const ends = await steps.run("deploy", () => deployChecked(aws, deployments, smoke))
  // Nothing that can fail comes after the deployment: it has happened.
  const { account } = lives[0] as Preflight
  const urls = [...new Set(lives.flatMap(({ url }) => url ?? []))]
  const text = `${[
    ...ends.map(end => end.text),
    "",
    `version   ${version}`,
    `commit    ${commit ?? "not known"}`,
    `image     ${image.reference}`,
    `service   ${serviceNames(lives)} (${settings.region}, account ${account})`,
    `url       ${urls.join(", ") || "not known: set --url, or tag the service ecs-release:url"}`,
    `time      ${steps.summary()}`,
    `longest   ${steps.longest()}`,
  ].join("\n")}\n`
  const services = ends.map((end, at) => serviceEnd(deployments[at] as ServiceRef, end, lives[at]?.url))
  const deployed = { commit, image, services, region: settings.region, account, ...steps.times }
  const outcome = outcomeOf(ends)
  return { outcome, text, version, isLive: outcome !== "paused", deployed }
}
