import { dag } from "@dagger.io/dagger"
import semver from "semver"

/** Whether the engine that runs this has a version, such as "0.21.6", or a later one. */
export async function engineIsAtLeast(version: string): Promise<boolean> {
  return semver.gte(semver.coerce(await dag.version()) ?? "0.0.0", version)
}
