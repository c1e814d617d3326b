import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { ECR } from "@aws-sdk/client-ecr"
import { ECS } from "@aws-sdk/client-ecs"
import { config } from "../../infra/config.js"
import { WORLD } from "../aws/names.js"
import { run } from "../machine/process.js"
import { type World, worldReset, worldUp } from "../sandbox.js"
import { type BuildResult, startBuild } from "./build.js"
import { BuildError } from "./command.js"
import { eventOf } from "./event.js"
import type { BuildLog } from "./log.js"
import { git, lendPackages } from "./source.js"

/** Everything that a rehearsal recorded. */
export interface Rehearsal {
  /** What the first release, from the laptop, printed. */
  first: string
  before: Live
  change: Change
  project: string
  result: BuildResult
  after: Live
  /** What a release of the same commit from the laptop prints after the build's, and what can be seen then. */
  again: string
  afterAgain: Live
}

/**
 * Rehearses a push to release in its own sandbox, which is empty at the start and gone at the end: a laptop releases
 * HEAD; a change of the app is pushed; the webhook's event starts the build, which releases it; the laptop releases the
 * same commit once more.
 *
 * @param options.stateDir folder for the sandbox
 * @param options.source repository to rehearse with: its HEAD
 * @param options.visit called while the new version is live
 * @param options.signal fires with STOPPED to end it
 * @throws Error if a step fails, or the signal's reason
 */
export async function rehearse(options: {
  checkout: string
  stateDir: string
  source: string
  log: BuildLog
  visit?: (world: World, folder: string) => Promise<void>
  signal?: AbortSignal
}): Promise<Rehearsal> {
  const { checkout, stateDir, source, log, signal } = options
  const { branch } = config.source
  const say = (line: string) => log.say(line)
  const workspace = mkdtempSync(join(tmpdir(), "rehearsal-"))
  const folder = join(workspace, basename(checkout))
  try {
    await worldReset(stateDir, say)
    await git("/", ["clone", "--quiet", "--no-checkout", source, folder])
    await git(folder, ["checkout", "--quiet", "-B", branch, await git(source, ["rev-parse", "HEAD"])])
    lendPackages(checkout, workspace, folder)
    const world = await worldUp(stateDir, folder, say)
    log.say("A laptop releases HEAD")
    const first = await releaseFromLaptop(checkout, world, folder)
    signal?.throwIfAborted()
    const before = await lookAt(world)
    const change = await changeApp(folder)
    log.say(`Pushing ${change.commit} to ${branch}`)
    await git(folder, ["push", "--quiet", world.git.url, branch], { token: world.git.token })
    const event = await eventOf(folder, "push", branch)
    const { result, project } = await startBuild({ checkout, stateDir, source: folder, event, log, signal })
    signal?.throwIfAborted()
    const failed = result.phases.find(({ state }) => state !== "SUCCEEDED")
    if (failed) throw new BuildError(`The build failed in ${failed.name}: ${failed.message}`)
    const after = await lookAt(world)
    log.say("The laptop releases the same commit")
    const again = await releaseFromLaptop(checkout, world, folder)
    const afterAgain = await lookAt(world)
    await options.visit?.(world, folder)
    return { first, before, change, project: project.name, result, after, again, afterAgain }
  } finally {
    await worldReset(stateDir, say)
    rmSync(workspace, { recursive: true, force: true })
  }
}

/** Releases a work tree as a person does on a laptop. Returns what is printed; throws BuildError with the error's text. */
async function releaseFromLaptop(checkout: string, world: World, folder: string): Promise<string> {
  const flags = [
    `--aws-endpoint=tcp://127.0.0.1:${world.emulator.port}`,
    `--git-endpoint=tcp://127.0.0.1:${world.git.port}`,
    `--git-remote=${world.git.url}`,
  ]
  const env = { ...process.env, ...world.env }
  const done = await run(join(checkout, "offline/dagger"), ["call", ...flags, "release"], {
    cwd: folder,
    env,
  })
  if (done.code === 0) return done.stdout
  const why = done.stderr.slice(Math.max(0, done.stderr.lastIndexOf("\nError: "))).trim()
  throw new BuildError(`dagger call release, on the laptop: ${why}`)
}

/** A change of the app, committed. */
interface Change {
  subject: string
  commit: string
  diff: string
}

/**
 * Gives the app's page another background and commits it as a feature, an hour after the commit before, so that the same
 * repository gives the same commit each time.
 */
async function changeApp(folder: string): Promise<Change> {
  const file = "app/hello_world.py"
  const background = /linear-gradient\(135deg, #\w+, #\w+\)/
  const before = readFileSync(join(folder, file), "utf8")
  if (!background.test(before)) throw new BuildError(`${file} has no background to change (${background}).`)
  const changed = before.replace(background, "linear-gradient(135deg, #3b1d4a, #c2556b)")
  writeFileSync(join(folder, file), changed)
  const subject = "feat: the page at dusk"
  const date = `${Number(await git(folder, ["log", "-1", "--format=%ct"])) + 3600} +0000`
  const who = { NAME: "Rehearsal", EMAIL: "rehearsal@example.com", DATE: date }
  const env = Object.entries(who).flatMap(([name, value]) => [
    [`GIT_AUTHOR_${name}`, value],
    [`GIT_COMMITTER_${name}`, value],
  ])
  const commit = ["commit", "--quiet", "--all", "--message", subject]
  await git(folder, commit, { env: Object.fromEntries(env) })
  const diff = await git(folder, ["show", "--format=", "--unified=0", "--no-prefix", "HEAD"])
  return { subject, commit: await git(folder, ["rev-parse", "HEAD"]), diff: diff.slice(diff.indexOf("--- ")) }
}

/** What can be seen of releases from outside: in ECR, in git, in ECS and at the service itself. */
export interface Live {
  /** Images in ECR: digest to tags, sorted. */
  images: { digest: string; tags: string[] }[]
  /** Tags of the git remote: `v1.2.3 COMMIT`. */
  gitTags: string[]
  /** Family and revision that the service runs, and how far: `hello:3, 1 of 1 tasks`. */
  taskDefinition: string
  tasks: string
  /** The image that it names, and the version beside it. */
  image: string
  appVersion: string
  /** What `/version` answers. */
  answer: string
}

/** Looks at the sandbox from outside, with the pipeline's own rights. */
export async function lookAt(world: World): Promise<Live> {
  const { port, region, env, appUrl } = world.emulator
  const credentials = {
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    sessionToken: env.AWS_SESSION_TOKEN,
  }
  const client = { region, credentials, endpoint: `http://127.0.0.1:${port}` }
  const [ecr, ecs] = [new ECR(client), new ECS(client)]
  const { imageDetails = [] } = await ecr.describeImages({ repositoryName: WORLD.repository })
  const { services } = await ecs.describeServices({ cluster: WORLD.cluster, services: [WORLD.service] })
  const arn = services?.[0]?.taskDefinition ?? ""
  const { taskDefinition } = await ecs.describeTaskDefinition({ taskDefinition: arn })
  const app = taskDefinition?.containerDefinitions?.find(({ name }) => name === WORLD.container)
  // Without what is attached to an image, whose tag begins with that image's digest.
  const images = imageDetails
    .filter(({ imageTags = [] }) => !imageTags.every(tag => tag.startsWith("sha256-")))
    .map(({ imageDigest = "", imageTags = [] }) => ({
      digest: imageDigest,
      tags: [...imageTags].sort((a, b) => a.length - b.length),
    }))
  const remote = ["ls-remote", "--tags", "--refs", world.git.url]
  const gitTags = (await git("/", remote, { token: world.git.token })).split("\n").filter(Boolean)
  const response = await fetch(`${appUrl}/version`)
  return {
    images: images.sort((a, b) => (a.tags[0] ?? "").localeCompare(b.tags[0] ?? "", "en", { numeric: true })),
    gitTags: gitTags.map(line => line.replace(/^(\S+)\s+refs\/tags\/(.*)$/, "$2 $1")).sort(),
    taskDefinition: arn.replace(/^.*\//, ""),
    tasks: `${services?.[0]?.runningCount} of ${services?.[0]?.desiredCount}`,
    image: app?.image ?? "",
    appVersion: app?.environment?.find(({ name }) => name === "APP_VERSION")?.value ?? "none",
    answer: `${response.status} ${(await response.text()).trim()}`,
  }
}
