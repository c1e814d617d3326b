import type { EcsRelease } from "./index.js"
import { UserError } from "./lib/errors.js"

/** The module's settings: the arguments of its constructor, the only place that names and documents them. */
export type Settings = {
  [K in keyof EcsRelease as EcsRelease[K] extends (...args: never[]) => unknown ? never : K]: EcsRelease[K]
}

/** A setting that must be set. */
export function required(value: string, what: string, flag: string): string {
  if (value !== "") return value
  throw new UserError(`No ${what} is set.`, "", `Pass ${flag}, or set it in the .env next to dagger.json`)
}

/** The service to deploy to. */
export function targetOf({ cluster, service, container }: Settings) {
  return {
    cluster: required(cluster, "ECS cluster", "--cluster"),
    service: required(service, "ECS service", "--service"),
    container: container || undefined,
  }
}

/** The service, and where the settings of a deployment come from. */
export function deploymentOf(settings: Settings) {
  return { ...targetOf(settings), template: settings.template || undefined }
}
