import semver from "semver"
import { type Aws, ecr, pages } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import type { ImageDetail } from "./aws/types.js"
import { commitOf } from "./ecr/image.js"
import { isVersion } from "./lib/semver.js"
import { table } from "./lib/table.js"
import { utc } from "./lib/time.js"

/** A version in the registry. */
export type Version = {
  version: string
  commit?: string
  digest: string
  pushed?: Date
  /** Compressed size in bytes. */
  bytes?: number
  running: boolean
}

/**
 * The versions in an ECR repository, highest first.
 *
 * @param repository its name
 * @param running digests of the images that the services run (see `status`), which mark those versions
 * @throws UserError if there is no such repository
 */
export async function history(
  aws: Aws,
  { repository, running }: { repository: string; running?: ReadonlySet<string> },
): Promise<{ versions: Version[]; text: string }> {
  return explained({ ...aws, repository }, async () => {
    const client = await ecr(aws)
    const input = { repositoryName: repository, filter: { tagStatus: "TAGGED" }, maxResults: 1000 } as const
    const read = (nextToken?: string) => client.describeImages({ ...input, nextToken })
    const details: ImageDetail[] = []
    for await (const page of pages(read)) details.push(...(page.imageDetails ?? []))
    const versions = readVersions(details, running)
    return { versions, text: write(repository, versions) }
  })
}

/** The versions of some images: one for each tag that is a strict version. Pure. */
export function readVersions(details: ImageDetail[], running: ReadonlySet<string> = new Set()): Version[] {
  return details
    .flatMap(({ imageTags = [], imageDigest = "", imagePushedAt: pushed, imageSizeInBytes: bytes }) =>
      imageTags.filter(isVersion).map(version => ({
        version,
        commit: commitOf(imageTags),
        digest: imageDigest,
        pushed,
        bytes,
        running: running.has(imageDigest),
      })),
    )
    .sort((a, b) => semver.rcompare(a.version, b.version))
}

function write(repository: string, versions: Version[]): string {
  if (versions.length === 0) return `no versions in ${repository}`
  const rows = versions.map(it => [
    it.running ? "*" : "",
    it.version,
    it.commit ?? "",
    utc(it.pushed),
    it.bytes === undefined ? "" : `${(it.bytes / 1e6).toFixed(1)} MB`,
    it.digest,
  ])
  return table([["", "VERSION", "COMMIT", "PUSHED", "SIZE", "DIGEST"], ...rows])
}
