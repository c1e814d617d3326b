import type { Container } from "@dagger.io/dagger"
import { type Checkout, remoteAddress } from "../git/checkout.js"
import { remoteUrl } from "../git/remote.js"
import { namesIn } from "../lib/list.js"
import type { Settings } from "../settings.js"
import { buildContext, type Context } from "./context.js"
import { buildStage, stamp } from "./dockerfile.js"

/** The files to build, the same for every step. */
export function contextOf({ repository, head }: Checkout, settings: Settings): Promise<Context> {
  return buildContext(repository.workTree, head.seconds, settings.context)
}

/**
 * The version of an image that is not a release: a pre-release of 0.0.0 (SemVer 2.0.0, item 9) that names its commit, such as
 * `0.0.0-g1a2b3c4d5e6f`, and says if the files differ from it. A release's version is just X.Y.Z, so it is never one of these.
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

/** Builds one stage of the Dockerfile, for the given platform or else the first one. */
export function buildTarget(
  { files }: Context,
  { platform: platforms, dockerfile, buildArgs, buildSecret, buildSecretId, ssh }: Settings,
  target: string,
  version: string,
  platform = namesIn(platforms)[0] ?? "",
): Promise<Container> {
  const secrets = { given: buildSecret, ids: buildSecretId }
  return buildStage(files, { dockerfile, platform, args: buildArgs, secrets, ssh }, target, version)
}

/** Builds the image of a commit, and stamps it with a version: a container for each platform. */
export function buildImages(
  context: Context,
  settings: Settings,
  checkout: Checkout,
  version: string,
): Promise<Container[]> {
  return Promise.all(
    namesIn(settings.platform).map(platform => buildImage(context, settings, checkout, version, platform)),
  )
}

/** Builds the image of a commit for one platform, the first if none is named, and stamps it with a version. */
export async function buildImage(
  context: Context,
  settings: Settings,
  { head, repository }: Checkout,
  version: string,
  platform?: string,
): Promise<Container> {
  const image = await buildTarget(context, settings, settings.runtimeTarget, version, platform)
  const source = remoteUrl(remoteAddress(repository, settings)) ?? ""
  return stamp(image, {
    version,
    revision: head.sha,
    created: head.date,
    source: source.replace(/\.git$/, ""),
  })
}
