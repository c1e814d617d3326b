import { openKey, type SigningKey } from "./attestation/key.js"
import { isSignerProfile, requireManagedSignature } from "./attestation/managed.js"
import { type Requirement, requireProvenance, requireSignature } from "./attestation/verify.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { type Access, accessTo, accessToImage } from "./ecr/distribution.js"
import { type NamedImage, parseImage } from "./ecr/image.js"
import { openCheckout, openRemote } from "./git/checkout.js"
import { pathsOf } from "./git/log.js"
import { remoteAndBranch } from "./git/remote-branch.js"
import { UserError } from "./lib/errors.js"
import { isVersion } from "./lib/semver.js"
import { required, type Settings } from "./settings.js"
import type { ComputedVersion } from "./version/compute.js"
import { commitWith } from "./version/decide.js"

/**
 * Refuses an image that lacks what is required of it: a signature by the key, or provenance that the key has signed and that names this
 * repository, its release branch, this app, and the version and commit that are to be deployed.
 *
 * @param aws the credentials of the deployment, which also open the key
 * @param there the credentials that may read the image's registry
 * @param given the caller's arguments: a file in the repository cannot override them here
 * @throws UserError with what is missing or differs
 */
export async function requireProof(
  aws: Aws,
  settings: Settings,
  { image, version, commit }: NamedImage,
  requirements: Requirement[],
  { there = aws, given }: { there?: Aws; given?: Pick<Settings, "signingKey" | "branch"> } = {},
): Promise<void> {
  if (requirements.length === 0) return
  if (given) refuseOverruled(settings, given)
  const { repository, digest = "", region = aws.region, account } = parseImage(image)
  const place = there.endpoint ? there : { ...there, region }
  const signer = required(settings.signingKey, "signing key", "--signing-key")
  if (isSignerProfile(signer)) {
    if (requirements.includes("provenance")) throw needsKms(signer)
    return requireManagedSignature(place, { name: version, repository, digest, account }, signer)
  }
  const { publicKey } = await openKey(aws, signer)
  const from = await explained({ ...place, repository }, () => accessToImage(place, image))
  const asked = { name: version, digest }
  if (requirements.includes("signature")) await requireSignature(from, asked, publicKey)
  if (!requirements.includes("provenance")) return
  const { tagPrefix } = settings
  const origin = await originOf(settings)
  const expected = { ...origin, tagPrefix, commit, version: isVersion(version) ? version : undefined }
  await requireProvenance(from, asked, publicKey, expected)
}

/** If the caller says what is trusted, the file must not say anything else. */
function refuseOverruled(settings: Settings, given: Pick<Settings, "signingKey" | "branch">): void {
  for (const [key, flag] of [
    ["signingKey", "--signing-key"],
    ["branch", "--branch"],
  ] as const) {
    if (given[key] === "" || given[key] === settings[key]) continue
    throw new UserError(
      `The ${key} in ecs-release.yaml differs from ${flag}: it is ${settings[key] || "empty"}.`,
      "With --require, it must be clear what is trusted.",
      `Remove it from the file, or leave out ${flag}.`,
    )
  }
}

/** The repository that an image has to come from, and its release branch. */
async function originOf(settings: Settings): Promise<{ repository: string; ref: string }> {
  const { repository } = await openCheckout(settings)
  const remote = await openRemote(repository, settings)
  return remoteAndBranch(repository, settings, remote)
}

function needsKms(profile: string): UserError {
  return new UserError(
    "--require provenance needs a key in AWS KMS.",
    `With ${profile}, ECR signs images, but not their attestations.`,
    "Pass --signing-key awskms:///alias/NAME, or only --require signature.",
  )
}

/**
 * Makes sure that the key has signed an image that was there already, and that it is from this commit: anybody who may push could have put
 * it there.
 */
export async function checkProof(
  to: Access,
  { tagPrefix, path }: Settings,
  found: {
    digest: string
    version: string
    commit: string
    origin: { repository: string; ref: string }
  },
  { publicKey }: SigningKey,
): Promise<void> {
  const { digest, version, commit } = found
  const { repository, ref } = found.origin
  try {
    await requireSignature(to, { name: version, digest }, publicKey)
    await requireProvenance(to, { name: version, digest }, publicKey, { repository, ref, tagPrefix, commit })
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw new UserError(
      `The image of ${version} was already in the registry, and is not signed by --signing-key.`,
      `${error.message.split("\n→")[0]}\nIt was pushed without a key, or not by this pipeline.`,
      `Release under a new number: ${commitWith(pathsOf(path), "fix: release again")}. Or release without --signing-key.`,
    )
  }
}

/** Refuses an image that was already there, unless the key has signed it. */
export async function assertProved(
  aws: Aws,
  settings: Settings,
  found: ComputedVersion,
  image: { digest: string; version: string; commit: string },
  key: SigningKey,
): Promise<void> {
  const [to, origin] = await Promise.all([
    accessTo(aws, settings.repository),
    remoteAndBranch(found.repository, settings, found.remote),
  ])
  await checkProof(to, settings, { ...image, origin }, key)
}
