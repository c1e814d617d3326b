import semver from "semver"
import type { Aws } from "./aws.js"
import { commitOf, imageByTag, parseImage } from "./ecrimage.js"
import { UserError } from "./errors.js"
import { Registry } from "./registry.js"
import type { Settings } from "./settings.js"
import { survey } from "./survey.js"

/** An image to run, with what it is. */
export type Picked = { image: string; version: string; commit?: string }

/**
 * Finds the image that a person names.
 *
 * @param wanted a version, a commit's full id, a digest, or "" for HEAD's own image
 * @throws UserError where the registry does not have it
 */
export async function pickImage(aws: Aws, settings: Settings, wanted: string): Promise<Picked> {
  const { repository } = settings
  if (wanted === "") return ofHead(aws, settings)
  const digest = parseImage(wanted).digest ?? /^sha256:[0-9a-f]{64}$/.exec(wanted)?.[0]
  if (digest === undefined) {
    const tag = wanted.replace(/^v(?=\d)/, "")
    const { image, commit, detail } = await imageByTag(aws, repository, tag)
    return { image, version: versionAmong(detail.imageTags) ?? tag, commit }
  }
  const found = await (await Registry.open(aws, repository)).findDigest(digest)
  if (!found) {
    throw new UserError(
      `There is no image ${digest} in the repository "${repository}".`,
      "",
      "'history' lists the versions that are there.",
    )
  }
  return { image: found.reference, version: versionAmong(found.tags) ?? digest, commit: commitOf(found.tags) }
}

async function ofHead(aws: Aws, settings: Settings): Promise<Picked> {
  const { version, facts } = await survey(settings)
  const registry = await Registry.open(aws, settings.repository)
  const image = await registry.findRelease(version, facts.head)
  if (image) return { image: image.reference, version, commit: facts.head }
  throw new UserError(
    `HEAD (${facts.head.slice(0, 7)}, version ${version}) has no image in the repository "${settings.repository}".`,
    "",
    "Push it first: dagger call push, or do all of it: dagger call release",
  )
}

function versionAmong(tags: string[] = []): string | undefined {
  return tags.find(tag => semver.valid(tag) === tag)
}
