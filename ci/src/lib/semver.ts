import semver from "semver"

/** Whether a version that may not be one, such as a service's, is a greater one than `than`. */
export function isNewer(version: string | undefined, than: string): boolean {
  return semver.valid(version) !== null && semver.valid(than) !== null && semver.gt(version as string, than)
}
