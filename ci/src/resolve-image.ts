import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { imageNamed, type NamedImage } from "./ecr/image.js"
import { Registry } from "./ecr/registry.js"
import { currentRevision } from "./ecs/revision.js"
import { UserError } from "./lib/errors.js"
import { type Settings, servicesOf } from "./settings.js"
import { type ComputedVersion, computeVersion } from "./version/compute.js"

/**
 * Finds the image that a person names, or HEAD's.
 *
 * @param wanted a version, a full commit ID, a digest, or "" for HEAD's own image. If HEAD is not a release and has nothing to
 *   release, "" means the image that the service runs, so that new settings can go live without a new version.
 * @throws UserError if the registry does not have it
 */
export async function resolveImage(
  aws: Aws,
  settings: Settings,
  wanted: string,
  print: (line: string) => void,
): Promise<NamedImage> {
  if (wanted !== "") return imageNamed(aws, settings, wanted)
  const found = await computeVersion(settings)
  const { version, head, decision } = found
  const { repository } = settings
  const image = await explained({ ...aws, repository }, async () =>
    (await Registry.open(aws, repository)).findRelease(version, head.sha),
  )
  if (image) return { image: image.reference, version, commit: head.sha }
  if (decision.next !== null || head.atHead.some(tag => tag.version === version))
    throw notPushed(found, settings)
  const running = await whatRuns(aws, settings)
  print(`${decision.reason}; using ${running.version}, which the service runs`)
  return running
}

async function whatRuns(aws: Aws, settings: Settings): Promise<NamedImage> {
  const [where] = servicesOf(settings)
  const { image, version, commit } = await currentRevision(aws, where)
  if (image !== undefined && version !== undefined) return { image, version, commit }
  throw new UserError(
    `${where.cluster}/${where.service} runs no version yet.`,
    "",
    "Release one first: dagger call release, or name an image: --image X.Y.Z",
  )
}

function notPushed({ version, head }: ComputedVersion, { repository }: Settings): UserError {
  return new UserError(
    `HEAD (${head.sha.slice(0, 7)}, version ${version}) has no image in the repository "${repository}".`,
    "",
    "Push it first: dagger call push, or do it all: dagger call release. To deploy another version: --image X.Y.Z",
  )
}
