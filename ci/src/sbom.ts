import { openKey } from "./attestation/key.js"
import { sbomType } from "./attestation/sbom.js"
import { isAbout, opened } from "./attestation/statement.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { accessTo, readBlob } from "./ecr/distribution.js"
import { type NamedImage, parseImage } from "./ecr/image.js"
import { attached, platformsOf } from "./ecr/referrers.js"
import { UserError } from "./lib/errors.js"
import { namesIn } from "./lib/list.js"
import { normalized } from "./lib/platform.js"
import type { Settings } from "./settings.js"

/**
 * The SBOM that was attached to an image when it was pushed.
 *
 * @param platform which image of an index; "" for the first platform in the settings
 * @throws UserError if there is no SBOM, or, with a key, if the key has not signed it
 */
export async function readSbom(
  aws: Aws,
  settings: Settings,
  { image, version }: NamedImage,
  platform: string,
): Promise<string> {
  const { repository, digest: named = "" } = parseImage(image)
  const from = await explained({ ...aws, repository }, () => accessTo(aws, repository))
  const images = await platformsOf(from, named)
  const wanted = platform || (namesIn(settings.platform)[0] ?? "")
  const chosen =
    images.length === 1 ? images[0] : images.find(it => normalized(it.platform ?? "") === normalized(wanted))
  if (!chosen) {
    throw new UserError(
      `${version} has no image for ${wanted}.`,
      `It has: ${images.map(it => it.platform).join(", ")}.`,
      "Pass one of them with --platform, after the function's name.",
    )
  }
  const { signingKey } = settings
  if (!signingKey.startsWith("awskms:")) {
    const [layer] = (await attached(from, chosen.digest, "sbom"))?.layers ?? []
    if (layer) return `${String(await readBlob(from, layer.digest)).trimEnd()}\n`
    throw none(version)
  }
  const { publicKey } = await openKey(aws, signingKey)
  const layers = (await attached(from, chosen.digest, "att"))?.layers ?? []
  for (const { digest } of layers) {
    const statement = opened(await readBlob(from, digest), publicKey)
    if (statement?.predicateType === sbomType && isAbout(statement, chosen.digest))
      return `${JSON.stringify(statement.predicate, null, 2)}\n`
  }
  if (layers.length === 0) throw none(version)
  throw new UserError(
    `No SBOM that --signing-key has signed is attached to ${version}.`,
    "It was pushed without an SBOM, was signed by another key, or was changed after it was signed.",
    "Check --signing-key; without it, 'sbom' prints what is attached, signed or not.",
  )
}

function none(version: string): UserError {
  return new UserError(
    `No SBOM is attached to ${version}.`,
    "It was pushed with --sbom-image none, by an older version of this module, or by something else.",
    "The next release attaches one to its image.",
  )
}
