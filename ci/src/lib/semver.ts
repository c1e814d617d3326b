import semver from "semver"

/** Whether a version (which may be invalid, such as a service's) is greater than `than`. */
export function isNewer(version: string | undefined, than: string): boolean {
  return semver.valid(version) !== null && semver.valid(than) !== null && semver.gt(version as string, than)
}
