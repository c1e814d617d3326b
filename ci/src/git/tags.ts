import semver from "semver"

/** The version tags that matter to a release. */
export type VersionTag = { tag: string; version: string /** The commit that it is on. */; commit?: string }

/**
 * The version that a tag names: the prefix, `v`, and a strict SemVer 2.0.0 version without build metadata. All other tags
 * (`v1`, `1.2.3`, `v01.2.3`, `latest`, `v1.2.3+build.5`) are not version tags.
 *
 * @param tag the tag's short name, such as `v1.2.3` or `api/v1.2.3`
 * @param prefix what comes before the `v`, such as `api/`
 */
export function versionOf(tag: string, prefix = ""): string | undefined {
  if (!tag.startsWith(`${prefix}v`)) return undefined
  const text = tag.slice(prefix.length + 1)
  return semver.valid(text) === text ? text : undefined
}

/** The version tags among `tags`, the highest version first (SemVer 2.0.0, item 11). */
export function versionTags(
  tags: string[],
  prefix = "",
  commits: ReadonlyMap<string, string> = new Map(),
): VersionTag[] {
  return tags
    .flatMap(tag => {
      const version = versionOf(tag, prefix)
      return version === undefined ? [] : [{ tag, version, commit: commits.get(tag) }]
    })
    .sort((a, b) => semver.rcompare(a.version, b.version))
}

/** Whether a version is a pre-release (`1.0.0-rc.1`): never a base, but never overtaken either. */
export function isPrerelease(version: string): boolean {
  return semver.prerelease(version) !== null
}
