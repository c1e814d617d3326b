import { openKey } from "./attestation/key.js"
import { isSignerProfile, requireManagedSignature } from "./attestation/managed.js"
import { type Requirement, requireProvenance, requireSignature } from "./attestation/verify.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { accessToImage } from "./ecr/distribution.js"
import { type NamedImage, parseImage } from "./ecr/image.js"
import { remoteAndBranch } from "./git/remote-branch.js"
import { UserError } from "./lib/errors.js"
import { isVersion } from "./lib/semver.js"
import { required, type Settings } from "./settings.js"
import { openCheckout, openRemote } from "./version/compute.js"

/**
 * Refuses an image that lacks what is required of it: a signature by the key, or provenance that the key has signed and that names this
 * repository, its release branch, this app, and the version and commit that are to be deployed.
 *
 * @param aws who deploys, which opens the key
 * @param there who may read the image's registry
 * @param given what the caller has passed as arguments: a file of the repository does not overrule it here
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
  const { repository, digest = "", region = aws.region } = parseImage(image)
  const place = there.endpoint ? there : { ...there, region }
  const signer = required(settings.signingKey, "signing key", "--signing-key")
  if (isSignerProfile(signer)) {
    if (requirements.includes("provenance")) throw needsKms(signer)
    return requireManagedSignature(place, { name: version, repository, digest }, signer)
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

/** What is trusted is said by the caller, if the caller says anything. */
function refuseOverruled(settings: Settings, given: Pick<Settings, "signingKey" | "branch">): void {
  for (const [key, flag] of [
    ["signingKey", "--signing-key"],
    ["branch", "--branch"],
  ] as const) {
    if (given[key] === "" || given[key] === settings[key]) continue
    throw new UserError(
      `ecs-release.yaml has another ${key} than ${flag}: ${settings[key] || "none"}.`,
      "With --require it has to be clear what is trusted.",
      `Take it out of the file, or leave out ${flag}.`,
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
    `ECR signs images with ${profile}, but not their attestations.`,
    "Pass --signing-key awskms:///alias/NAME, or --require signature alone.",
  )
}
