import type { Container, Directory } from "@dagger.io/dagger"
import { buildContext } from "./context.js"
import { buildStage, stamp } from "./image.js"
import { remoteUrl } from "./remote.js"
import type { Settings } from "./settings.js"
import type { Survey } from "./survey.js"

/** The files that are built, the same for every step. */
export function contextOf({ shell, facts }: Survey, settings: Settings): Promise<Directory> {
  return buildContext(shell.container, facts.created, settings.context)
}

/**
 * Runs the app's tests: builds the stage that runs them.
 *
 * @throws ExecError where they fail, with their output
 */
export async function runTests(context: Directory, settings: Settings, version: string): Promise<void> {
  await (await buildTarget(context, settings, settings.testTarget, version)).sync()
}

/** Builds one stage of the Dockerfile. */
export function buildTarget(
  context: Directory,
  { dockerfile, platform, buildArgs }: Settings,
  target: string,
  version: string,
): Promise<Container> {
  return buildStage(context, { dockerfile, platform, args: buildArgs }, target, version)
}

/** Builds the image of a commit and stamps it with its version. */
export async function buildImage(context: Directory, settings: Settings, found: Survey): Promise<Container> {
  const { version, facts } = found
  const image = await buildTarget(context, settings, settings.runtimeTarget, version)
  const source = remoteUrl(settings.gitRemote || facts.origin) ?? ""
  return stamp(image, {
    version,
    revision: facts.head,
    created: facts.created,
    source: source.replace(/\.git$/, ""),
  })
}
