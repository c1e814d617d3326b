import { type Aws, ecr } from "../aws/clients.js"
import { explained, noImage } from "../aws/errors.js"
import type { ImageDetail, ImageIdentifier } from "../aws/types.js"
import { UserError } from "../lib/errors.js"
import { isVersion, withoutV } from "../lib/semver.js"

/** The parts of an image's name. */
export type ImageName = {
  /** Name without tag and digest. */
  uri: string
  /** Name of the repository in its registry. */
  repository: string
  digest?: string
  /** Account and region, if it is an ECR name. */
  account?: string
  region?: string
}

const ecrHost = /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\./

/** Splits an image's name: `host/repository[:tag][@digest]`. */
export function parseImage(image: string): ImageName {
  const [name = "", digest] = image.split("@")
  const uri = name.replace(/:[^/:]*$/, "")
  const [, account, region] = ecrHost.exec(uri) ?? []
  return { uri, repository: uri.slice(uri.indexOf("/") + 1), digest, account, region }
}

/**
 * Checks that an image is in ECR, by its digest.
 *
 * @param image `host/repository@sha256:…`
 * @throws UserError if the name has no digest, or if the repository or the image does not exist
 */
export async function assertInEcr(aws: Aws, image: string): Promise<void> {
  const { repository, digest, account, region } = parseImage(image)
  if (digest === undefined) {
    throw new UserError(
      `The image ${image} has no digest.`,
      "A tag can be moved; a digest cannot.",
      "Pass it as repository@sha256:…, or pass a version.",
    )
  }
  const where = region === undefined || aws.endpoint ? aws : { ...aws, region }
  await explained({ ...where, repository }, async () => {
    const client = await ecr(where)
    const { imageDetails } = await client.describeImages({
      repositoryName: repository,
      ...(account && { registryId: account }),
      imageIds: [{ imageDigest: digest }],
    })
    if (imageDetails?.[0] === undefined) throw noImage({ region: where.region, repository }, digest)
    refuseArchived(repository, imageDetails[0])
  })
}

/**
 * Whether an image is in the repository of this account and region, by the address that ECR gives for it. One of the same name elsewhere is
 * another repository; the same one may have several addresses (FIPS, dual-stack).
 */
export async function isInRepository(aws: Aws, repository: string, image: string): Promise<boolean> {
  const name = parseImage(image)
  if (name.repository !== repository || (name.region ?? aws.region) !== aws.region) return false
  try {
    const { repositories } = await (await ecr(aws)).describeRepositories({ repositoryNames: [repository] })
    const own = parseImage(repositories?.[0]?.repositoryUri ?? "")
    return own.account && name.account ? own.account === name.account : own.uri === name.uri
  } catch (error) {
    if ((error as Error).name === "RepositoryNotFoundException") return false
    throw error
  }
}

/** An archived image is still described, but cannot be pulled (ECR user guide, "Archiving an image"). */
function refuseArchived(repository: string, { imageDigest, imageStatus = "ACTIVE" }: ImageDetail): void {
  if (imageStatus === "ACTIVE") return
  throw new UserError(
    `The image ${imageDigest} in "${repository}" is ${imageStatus}: ECS cannot pull it.`,
    "",
    `Restore it: aws ecr update-image-storage-class --repository-name ${repository} --image-id imageDigest=${imageDigest} --target-storage-class STANDARD`,
  )
}

/** An image of the repository, with the repository's own address. */
async function findImage(
  aws: Aws,
  repository: string,
  id: ImageIdentifier,
): Promise<{ image: string; commit?: string; detail: ImageDetail }> {
  return explained({ ...aws, repository }, async () => {
    const client = await ecr(aws)
    const [images, repositories] = await Promise.all([
      client.describeImages({ repositoryName: repository, imageIds: [id] }),
      client.describeRepositories({ repositoryNames: [repository] }),
    ])
    const detail = images.imageDetails?.[0]
    const uri = repositories.repositories?.[0]?.repositoryUri
    if (detail?.imageDigest === undefined || uri === undefined) {
      throw noImage({ region: aws.region, repository }, id.imageTag ?? id.imageDigest ?? "")
    }
    refuseArchived(repository, detail)
    return { image: `${uri}@${detail.imageDigest}`, commit: commitOf(detail.imageTags), detail }
  })
}

/** An image to run, with its version and commit. */
export type NamedImage = { image: string; version: string; commit?: string }

/**
 * Finds the image that a person names.
 *
 * @param wanted a version with or without `v` and the tag prefix, a commit's full id, or a digest
 * @throws UserError if the registry does not have it
 */
export async function imageNamed(
  aws: Aws,
  { repository, tagPrefix = "" }: { repository: string; tagPrefix?: string },
  wanted: string,
): Promise<NamedImage> {
  const digest = parseImage(wanted).digest ?? /^sha256:[0-9a-f]{64}$/.exec(wanted)?.[0]
  const unprefixed = wanted.startsWith(`${tagPrefix}v`) ? wanted.slice(tagPrefix.length) : wanted
  const tag = withoutV(unprefixed)
  const { image, commit, detail } = await findImage(
    aws,
    repository,
    digest ? { imageDigest: digest } : { imageTag: tag },
  )
  // Use the version that was asked for, not another tag that somebody has put on the same image.
  const version = isVersion(tag) ? tag : (versionAmong(detail.imageTags) ?? digest ?? tag)
  return { image, version, commit: /^[0-9a-f]{40}$/.test(tag) ? tag : commit }
}

/** The version among an image's tags. */
function versionAmong(tags: string[] = []): string | undefined {
  return tags.find(isVersion)
}

/** The commit among an image's tags: the one that is a full SHA. */
export function commitOf(tags: string[] | undefined): string | undefined {
  return tags?.find(tag => /^[0-9a-f]{40}$/.test(tag))
}
