import semver from "semver"

/** A version that a person wrote as `v1.2.3` or `1.2.3`, without the v; any other text unchanged. */
export function withoutV(version: string): string {
  return version.replace(/^v(?=\d)/, "")
}

/** Whether a version (which may be invalid, such as a service's) is greater than `than`. */
export function isNewer(version: string | undefined, than: string): boolean {
  return semver.valid(version) !== null && semver.valid(than) !== null && semver.gt(version as string, than)
}

/** Whether a text is a version as defined by SemVer 2.0.0. */
export function isVersion(text: string): boolean {
  return semver.valid(text) === text
}

/** The variable that holds the version for the program. */
export const versionVariable = "APP_VERSION"
