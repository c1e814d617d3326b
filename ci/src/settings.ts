import type { Directory } from "@dagger.io/dagger"
import type { EcsRelease } from "./index.js"
import { UserError } from "./lib/errors.js"
import { namesIn, partsOf } from "./lib/list.js"

/** The module's settings: the arguments of its constructor, the only place that names and documents them. */
export type Settings = {
  [K in keyof EcsRelease as EcsRelease[K] extends (...args: never[]) => unknown ? never : K]: EcsRelease[K]
}

/** A setting that must be set. */
export function required(value: string, what: string, flag: string): string {
  if (value !== "") return value
  throw new UserError(
    `No ${what} is set.`,
    "",
    `Pass ${flag}, or set ${envKey(flag)} in the .env of your repository`,
  )
}

/**
 * The key of a setting in `.env`, as every engine reads it: the module's name, then the argument's own name, without hyphens
 * (core/envfile.go, cutFlexPrefix): `ECS_RELEASE_tagPrefix`.
 */
export function envKey(flag: string): string {
  return `ECS_RELEASE_${camelCase(flag)}`
}

/** The flag of a setting: tagPrefix is `--tag-prefix`. */
export function flagOf(key: keyof Settings): string {
  return `--${key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
}

/** The argument's own name: `--tag-prefix` is tagPrefix. */
export function camelCase(flag: string): string {
  return flag.replace(/^--/, "").replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
}

/** The repository that is released: the one given, or that of the call (a Workspace, which engines pass since 0.20). */
export function sourceOf({ source }: Settings): Directory {
  if (source) return source
  throw new UserError(
    "There is no repository to work on.",
    "The caller passed none, and the engine passed no Workspace.",
    "Pass --source . (from another module: source to the constructor, and ws to the function).",
  )
}

/** A service to deploy to, and which parts of its task definition are released. */
export type ServiceRef = {
  cluster: string
  service: string
  /** Names of the containers, with commas; undefined for the only one. */
  container?: string
  /** Whether it is enough if the task definition has one of them. */
  someContainers: boolean
  /** Where the settings of a deployment come from; undefined for the task definition that runs. */
  template?: string
  /** Lifecycle stage at which a person has to approve; undefined if the service's own hooks decide. */
  approval?: string
}

/** The services to deploy to. Several are released together. */
export function servicesOf(settings: Settings): [ServiceRef, ...ServiceRef[]] {
  const cluster = required(settings.cluster, "ECS cluster", "--cluster")
  const [first, ...rest] = namesIn(required(settings.service, "ECS service", "--service")) as [
    string,
    ...string[],
  ]
  const templates = partsOf(settings.template)
  const container = settings.container || undefined
  const approval = settings.approval || undefined
  const where = (service: string, at: number): ServiceRef => ({
    ...{ cluster, service, container, someContainers: rest.length > 0, template: templates[at], approval },
  })
  return [where(first, 0), ...rest.map((service, at) => where(service, at + 1))]
}
