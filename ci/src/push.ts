import { attest, circumstancesOf, isAttested } from "./attest.js"
import { openSigningKey } from "./attestation/key.js"
import { loadScanner, scanImages } from "./attestation/sbom.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { type Image, Registry } from "./ecr/registry.js"
import { claim, noRemote, refuseWithoutRight } from "./git/claim.js"
import { buildImages, runTests } from "./image/build.js"
import type { Context } from "./image/context.js"
import { UserError } from "./lib/errors.js"
import type { StepTimer } from "./lib/steps.js"
import type { Preflight } from "./preflight.js"
import { assertProved } from "./proof.js"
import { required, type Settings } from "./settings.js"
import { type Check, countOf, refuseWrong, writeCheck } from "./verify/check.js"
import { type ComputedVersion, nothingToDo, recomputeVersion } from "./version/compute.js"

/** A commit's image in the registry, its claimed version, and a promise for what is still being attached to it. */
export type Pushed = { image: Image; found: ComputedVersion; attaching: Promise<void> }

/** A commit to push, and what it takes. */
export type PushRun = {
  aws: Aws
  settings: Settings
  found: ComputedVersion
  context: Context
  steps: StepTimer
  print: (line: string) => void
}

/**
 * Makes sure that the commit's image is in the registry: tests and builds it, claims its version and pushes it, unless that
 * is already done.
 *
 * @param options.check checks what a deployment needs, in parallel with test and build, if a version has to be claimed
 * @param options.isLive the services run this version: there is nothing left to attach to its image
 * @returns the image, and the commit's version as it was claimed; or what is left to do if another run was quicker
 */
export async function pushRelease(
  run: PushRun,
  { check, isLive = false }: { check?: () => Promise<Check[]>; isLive?: boolean } = {},
): Promise<Pushed | { overtaken: ComputedVersion }> {
  const { aws, settings, found, steps, print } = run
  const repository = required(settings.repository, "ECR repository", "--repository")
  return explained({ ...aws, repository }, async () => {
    const registry = await Registry.open(aws, repository, settings.awsEndpoint)
    const { version, remote } = found
    const { sha } = found.head
    const before = await registry.findRelease(version, sha)
    if (before) {
      print(`${version} is already in the registry, from this commit (${before.digest})`)
      if (!isLive) await attestFound(run, before)
      return { image: before, found, attaching: Promise.resolve() }
    }
    if (registry.tagsCanMove) {
      print(
        `warning: tags in ${repository} can be moved to another image; make them immutable: aws ecr put-image-tag-mutability --repository-name ${repository} --image-tag-mutability IMMUTABLE`,
      )
    }
    if (!remote) throw noRemote(tagOf(settings, found), found.unasked ?? "")
    const key = await openSigningKey(aws, settings)
    const built = await testAndBuild(run, registry, remote.url, check)
    const claimed = await steps.run("claim", () => claimVersion(settings, found, remote.url, print))
    if (nothingToDo(claimed)) return { overtaken: claimed }
    const { version: number } = claimed
    let { scans } = built
    const build = async () => {
      if (number === version) return built.images
      const images = await buildImages(run.context, settings, claimed, number)
      scans = scanImages(images, settings, registry.uri, number)
      return images
    }
    const about = (digest: string) => ({ digest, version: number, circumstances: built.circumstances })
    let own: string | undefined
    const image = await steps.run("push", () =>
      registry.push(build, number, sha, {
        compression: settings.compression,
        onPush: digest => (own = digest),
        vouch: key && {
          attest: async digest => print(await attest(aws, settings, about(digest), key, scans)),
          check: async ({ digest }) =>
            assertProved(aws, settings, claimed, { digest, version: number, commit: sha }, key),
        },
      }),
    )
    print(`${number} and ${sha} are ${image.digest}`)
    // Signed images already have it. If another run pushed at the same time, the image is that run's build, and that run attests it.
    const attaching =
      key || image.digest !== own
        ? Promise.resolve()
        : steps.run("attest", () => attest(aws, settings, about(image.digest), undefined, scans)).then(print)
    // It is awaited at the end.
    attaching.catch(() => {})
    return { image, found: claimed, attaching }
  })
}

/** Tests and builds the commit, while this checks that its version can be claimed, and that it can be deployed. */
async function testAndBuild(
  { aws, settings, found, context, steps, print }: PushRun,
  registry: Registry,
  url: string,
  check?: () => Promise<Check[]>,
) {
  const { version, head, repository } = found
  const checks = check?.()
  // Its result is read once test and build are done.
  checks?.catch(() => {})
  const mayPush = refuseWithoutRight(repository.history.remote, url, head.sha, tagOf(settings, found))
  const [circumstances, { images, scans }] = await Promise.all([
    mayPush.then(() => circumstancesOf(aws, settings, found, context)),
    steps.run("build", async () => {
      const images = await buildImages(context, settings, found, version)
      await Promise.all(images.map(image => image.sync()))
      // This runs in parallel with the rest of the tests, the claim and the push.
      return { images, scans: scanImages(images, settings, registry.uri, version) }
    }),
    settings.testTarget && steps.run("test", () => runTests(context, settings, version)),
    loadScanner(settings),
  ])
  if (checks) refuse(await steps.run("verify", () => checks), print)
  return { images, scans, circumstances }
}

/**
 * An earlier run pushed the image. With a key, it signed the image before that; without one, it may have died before it attached anything.
 */
async function attestFound(
  { aws, settings, found, context, steps, print }: PushRun,
  image: Image,
): Promise<void> {
  const { version, head } = found
  const { digest } = image
  const key = await openSigningKey(aws, settings)
  if (key) return assertProved(aws, settings, found, { digest, version, commit: head.sha }, key)
  if (await isAttested(aws, settings, image)) return
  try {
    await steps.run("attest", async () => {
      const circumstances = await circumstancesOf(aws, settings, found, context)
      print(await attest(aws, settings, { digest, version, circumstances }, undefined))
    })
  } catch (error) {
    // The image was good enough to be pushed: go on even if its SBOM or provenance is missing.
    warnUnattached(error, print)
  }
}

/** Says that an image has no SBOM and provenance, and why. */
export function warnUnattached(error: unknown, print: (line: string) => void): void {
  print(`warning: SBOM and provenance could not be attached: ${(error as Error).message.split("\n", 1)[0]}`)
}

/** Prints the result of the checks, and refuses to go on if a deployment would fail. */
function refuse(checks: Check[], print: (line: string) => void): void {
  print(`verified: ${countOf(checks)}`)
  const found = checks.filter(({ result }) => result !== "ok")
  for (const line of found.flatMap(check => writeCheck(check).split("\n"))) print(line)
  refuseWrong(checks)
}

/** Claims the version, or the next one if another commit was faster. */
async function claimVersion(
  settings: Settings,
  found: ComputedVersion,
  url: string,
  print: (line: string) => void,
): Promise<ComputedVersion> {
  let now = found
  for (let laps = 0; laps < 100; laps++) {
    const tag = tagOf(settings, now)
    const claimed = await claim(now.repository.history.remote, url, now.head.sha, tag)
    if (claimed.won) {
      print(`${tag} ${claimed.repeated ? "already belongs to this commit" : "claimed for this commit"}`)
      return now
    }
    print(`${tag} went to commit ${claimed.holder.slice(0, 7)} in the meantime; computing the version again`)
    now = await recomputeVersion(now, settings, true)
    if (nothingToDo(now)) return now
  }
  throw new UserError(
    `No version could be claimed: the last of a hundred, ${now.version}, went to another commit too.`,
    "",
    "Check the remote's version tags: git ls-remote --tags",
  )
}

function tagOf({ tagPrefix }: Settings, { version }: ComputedVersion): string {
  return `${tagPrefix}v${version}`
}

/** The error for a version that a run claimed but did not push. */
export function neverPushed(
  { tagPrefix, repository }: Settings,
  version: string,
  { name, ...live }: Preflight,
): UserError {
  const tag = `${tagPrefix}v${version}`
  return new UserError(
    `${version} was claimed but never released: ${name} runs ${live.version ?? "no version"}, and the repository "${repository}" has no image for it.`,
    `The run that pushed the tag ${tag} is still in progress, or died.`,
    `If no other run is in progress, finish it: git checkout ${tag} && dagger call release`,
  )
}
