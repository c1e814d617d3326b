import { openKey } from "./attestation/key.js"
import { isSignerProfile, requireManagedSignature } from "./attestation/managed.js"
import { type Requirement, requireProvenance, requireSignature } from "./attestation/verify.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { accessTo } from "./ecr/distribution.js"
import { type NamedImage, parseImage } from "./ecr/image.js"
import { findRemote } from "./git/remote.js"
import { remoteAndBranch } from "./git/remote-branch.js"
import { UserError } from "./lib/errors.js"
import { isVersion } from "./lib/semver.js"
import { required, type Settings } from "./settings.js"
import { openCheckout } from "./version/compute.js"

/**
 * Refuses an image that lacks what is required of it: a signature by the key, or provenance that the key has signed and that names this
 * repository, its release branch, and the image's own version and commit.
 *
 * @param image the image, in the repository that it is deployed from
 * @throws UserError with what is missing or differs
 */
export async function requireProof(
  aws: Aws,
  settings: Settings,
  { image, version, commit }: NamedImage,
  requirements: Requirement[],
): Promise<void> {
  if (requirements.length === 0) return
  const { repository, digest = "", region = aws.region } = parseImage(image)
  const place = aws.endpoint ? aws : { ...aws, region }
  const signer = required(settings.signingKey, "signing key", "--signing-key")
  if (isSignerProfile(signer)) {
    if (requirements.includes("provenance")) throw needsKms(signer)
    return requireManagedSignature(place, { name: version, repository, digest }, signer)
  }
  const key = await openKey(aws, signer)
  const from = await explained({ ...place, repository }, () => accessTo(place, repository))
  const asked = { name: version, digest }
  if (requirements.includes("signature")) await requireSignature(from, asked, key.publicKey)
  if (!requirements.includes("provenance")) return
  const origin = await originOf(settings)
  const expected = { ...origin, commit, version: isVersion(version) ? version : undefined }
  await requireProvenance(from, asked, key.publicKey, expected)
}

/** The repository that an image has to come from, and its release branch. */
async function originOf(settings: Settings): Promise<{ repository: string; ref: string }> {
  const { repository } = await openCheckout(settings)
  const remote = await findRemote({
    address: settings.gitRemote || repository.source.origin,
    username: settings.gitUsername,
    token: settings.gitToken,
    endpoint: settings.gitEndpoint,
  })
  if (remote) repository.history.open(remote.way)
  return remoteAndBranch(repository, settings, remote)
}

function needsKms(profile: string): UserError {
  return new UserError(
    "--require provenance needs a key in AWS KMS.",
    `ECR signs images with ${profile}, but not what is said about them.`,
    "Pass --signing-key awskms:///alias/NAME, or --require signature alone.",
  )
}
