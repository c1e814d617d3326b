import type { Container } from "@dagger.io/dagger"
import { remoteUrl } from "../git/remote.js"
import type { Settings } from "../settings.js"
import type { Checkout } from "../version/compute.js"
import { buildContext, type Context } from "./context.js"
import { buildStage, stamp } from "./dockerfile.js"

/** The files to build, the same for every step. */
export function contextOf({ repository, head }: Checkout, settings: Settings): Promise<Context> {
  return buildContext(repository.workTree, head.seconds, settings.context)
}

/**
 * The version of an image that no release makes: a pre-release of 0.0.0 (SemVer 2.0.0, item 9) that names its commit, such as
 * `0.0.0-g1a2b3c4d5e6f`, and whether the files differ from it. A release's version is X.Y.Z alone, so it is never this one.
 */
export function unreleasedVersion({ head }: Checkout, { changes }: Context): string {
  return `0.0.0-g${head.sha.slice(0, 12)}${changes.length > 0 ? ".changed" : ""}`
}

/**
 * Runs the app's tests: builds the stage that runs them.
 *
 * @throws ExecError if they fail, with their output
 */
export async function runTests(context: Context, settings: Settings, version: string): Promise<void> {
  await (await buildTarget(context, settings, settings.testTarget, version)).sync()
}

/** Builds one stage of the Dockerfile. */
export function buildTarget(
  { files }: Context,
  { dockerfile, platform, buildArgs }: Settings,
  target: string,
  version: string,
): Promise<Container> {
  return buildStage(files, { dockerfile, platform, args: buildArgs }, target, version)
}

/** Builds the image of a commit and stamps it with a version. */
export async function buildImage(
  context: Context,
  settings: Settings,
  { head, repository }: Checkout,
  version: string,
): Promise<Container> {
  const image = await buildTarget(context, settings, settings.runtimeTarget, version)
  const source = remoteUrl(settings.gitRemote || repository.source.origin) ?? ""
  return stamp(image, {
    version,
    revision: head.sha,
    created: head.date,
    source: source.replace(/\.git$/, ""),
  })
}
