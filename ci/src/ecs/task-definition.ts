import type { ContainerDefinition, Service, Tag, TaskDefinition } from "../aws/types.js"
import { UserError } from "../lib/errors.js"
import { namesIn } from "../lib/list.js"
import { versionVariable } from "../lib/semver.js"

/** What a deployment sets in a task definition. */
export type Release = {
  /** Name of the container, or several names with commas; may be left out if there is only one. */
  container?: string
  /** Whether it is enough that the task definition has one of those containers: the others may belong to other services. */
  someContainers?: boolean
  /** Image by digest, `repository@sha256:…`. */
  image: string
  version: string
  /** The full commit SHA; left out if it is not known. */
  commit?: string
}

/** A task definition as it is to be registered. Fields that the SDK does not know stay in it. */
export type Registration = Omit<TaskDefinition, "family"> & { family: string; tags: Tag[] }

/** What a release changes. */
export type Patch = {
  /** The first container that gets the image: the one that runs one-off commands. */
  container: string
  /** True if the containers have this image and version already. */
  unchanged: boolean
  registration: Registration
  /** The change as `- old` and `+ new` lines; empty if nothing changes. */
  diff: string[]
}

/** Names of the tags that a registered task definition carries. */
export const versionTag = "ecs-release:version"
export const commitTag = "ecs-release:commit"
/** When the revision was seen to have completed a deployment (ISO 8601). */
export const completedTag = "ecs-release:completed"
/** When the version's migration ran (ISO 8601). */
export const migratedTag = "ecs-release:migrated"
/** When the revision passed its smoke check (ISO 8601). */
export const smokedTag = "ecs-release:smoke-check"
/** When the revision was rolled back (ISO 8601). */
export const rolledBackTag = "ecs-release:rolled-back"
/** Why: how the first failed task ended. */
export const causeTag = "ecs-release:cause"

/** Who let a paused deployment of the revision go on, or sent it back (ARN from STS GetCallerIdentity), and why. */
export const approvedByTag = "ecs-release:approved-by"
export const rejectedByTag = "ecs-release:rejected-by"
export const rejectedWhyTag = "ecs-release:rejected-why"

/** What DescribeTaskDefinition returns but RegisterTaskDefinition does not accept (ECS API reference, both). */
const readOnly = new Set([
  "taskDefinitionArn",
  "revision",
  "status",
  "requiresAttributes",
  "compatibilities",
  "registeredAt",
  "registeredBy",
  "deregisteredAt",
  "deleteRequestedAt",
])

/**
 * The task definition of a release: the current one, with image and `APP_VERSION` of its containers replaced. Sidecars, roles,
 * volumes and whatever else it has stay as they are. Pure.
 *
 * @param current the task definition that the service runs
 * @param tags its tags; they are kept
 * @param template the task definition to take all settings from, if it is not the current one
 * @throws UserError if the container is not there or, unnamed, is not the only one
 */
export function patch(current: TaskDefinition, tags: Tag[], release: Release, template = current): Patch {
  const containers = chooseContainers(template, release)
  const changed = (it: ContainerDefinition): ContainerDefinition => ({
    ...it,
    image: release.image,
    environment: withVersion(it.environment ?? [], release.version),
  })
  const containerDefinitions = template.containerDefinitions?.map(it =>
    containers.includes(it) ? changed(it) : it,
  )
  const definition = { ...writable(template), family: current.family, containerDefinitions }
  const diff = difference(current, definition)
  const registration = { ...definition, tags: releaseTags(tags, release) } as Registration
  return { container: containers[0].name as string, unchanged: diff.length === 0, registration, diff }
}

/** A registered task definition as it is, to be registered again. AWS's own tags (`aws:`) cannot be set. */
export function copyOf(definition: TaskDefinition, tags: Tag[]): Registration {
  return { ...writable(definition), tags: tags.filter(({ key }) => !key?.startsWith("aws:")) } as Registration
}

/** The containers with the given names (separated by commas), in that order. */
export function containersNamed(all: ContainerDefinition[], wanted = ""): ContainerDefinition[] {
  return namesIn(wanted).flatMap(name => all.find(it => it.name === name) ?? [])
}

/** The containers to change, in the order named: at least one, and the only one if none is named. */
export function chooseContainers(
  { family, containerDefinitions: all = [] }: TaskDefinition,
  { container: wanted, someContainers = false }: Pick<Release, "container" | "someContainers">,
): [ContainerDefinition, ...ContainerDefinition[]] {
  const there = all.map(({ name }) => name).join(", ")
  const names = namesIn(wanted ?? "")
  if (names.length === 0 && all.length !== 1) {
    throw new UserError(
      `The task definition ${family} has ${all.length} containers: which of them should be released?`,
      `They are: ${there}.`,
      "Set --container to one of them, or to several, separated by commas.",
    )
  }
  const found = names.length === 0 ? all : containersNamed(all, wanted)
  const missing = names.filter(name => !found.some(it => it.name === name))
  const [first, ...rest] = found
  if (first && (missing.length === 0 || someContainers)) return [first, ...rest]
  throw new UserError(
    `The task definition ${family} has no container "${missing.join('" and none "')}".`,
    `It has: ${there}.`,
    "Set --container to one of them, or to several, separated by commas.",
  )
}

/** Where a service's tasks run. */
type Capacity = Pick<Service, "launchType" | "capacityProviderStrategy">

/**
 * The platform that tasks need an image for, such as `linux/arm64`: AWS Fargate's default is Linux on x86-64 (ECS API reference,
 * RuntimePlatform). Undefined if that is up to the container instances.
 */
export function platformOf(definition: TaskDefinition, service: Capacity): string | undefined {
  const { cpuArchitecture, operatingSystemFamily = "LINUX" } = definition.runtimePlatform ?? {}
  if (!cpuArchitecture && !runsOnFargate(definition, service)) return undefined
  const system = operatingSystemFamily.startsWith("WINDOWS") ? "windows" : "linux"
  return `${system}/${cpuArchitecture === "ARM64" ? "arm64" : "amd64"}`
}

/** A task definition may allow Fargate and EC2: then the service says which. */
function runsOnFargate(
  { requiresCompatibilities = [] }: TaskDefinition,
  { launchType, capacityProviderStrategy = [] }: Capacity,
): boolean {
  if (capacityProviderStrategy.length > 0)
    return capacityProviderStrategy.some(({ capacityProvider = "" }) =>
      capacityProvider.startsWith("FARGATE"),
    )
  return launchType ? launchType === "FARGATE" : requiresCompatibilities.includes("FARGATE")
}

/**
 * Checks that an image is built for the platform that a service's tasks run on.
 *
 * @param platform what it is built for; several with commas
 * @throws UserError if it is not
 */
export function assertPlatform(definition: TaskDefinition, service: Capacity, platform: string): void {
  const wanted = platformOf(definition, service)
  const built = namesIn(platform)
  if (wanted === undefined || built.some(it => it === wanted || it.startsWith(`${wanted}/`))) return
  throw new UserError(
    `The tasks of ${definition.family} run on ${wanted}, but the image is built for ${built.join(" and ")}.`,
    "The task definition's runtimePlatform says so; AWS Fargate's default is linux/amd64.",
    `Build for it: --platform ${wanted}, or for several: --platform linux/amd64,linux/arm64. Or change the task definition.`,
  )
}

/** The version that a container is given, or undefined. */
export function versionIn(container: ContainerDefinition): string | undefined {
  return container.environment?.find(({ name }) => name === versionVariable)?.value
}

/** Whether two task definitions are the same; then a registered revision can be used in place of a new one. */
export function sameDefinition(one: TaskDefinition, other: TaskDefinition): boolean {
  return difference(one, other).length === 0
}

/**
 * The differences between two task definitions, as `- old` and `+ new` lines by path. Read-only fields and tags do not count, and
 * neither does the order of entries that have a name (containers, variables, secrets): ECS may change it.
 */
export function difference(before: TaskDefinition, after: TaskDefinition): string[] {
  const [old, now] = [before, after].map(it => leaves(writable(it))) as [
    Map<string, string>,
    Map<string, string>,
  ]
  return [...new Set([...old.keys(), ...now.keys()])].flatMap(path => {
    const [was, is] = [old.get(path), now.get(path)]
    if (was === is) return []
    const name = path.replace(/^containerDefinitions\./, "")
    return [
      ...(was === undefined ? [] : [`- ${name}: ${was}`]),
      ...(is === undefined ? [] : [`+ ${name}: ${is}`]),
    ]
  })
}

/**
 * Every value by its path. List entries are identified by their names; a list without names is one value. Defaults that ECS fills in
 * (empty lists, no CPU share, essential) are left out.
 */
function leaves(value: unknown, path = ""): Map<string, string> {
  if (value === null || typeof value !== "object") return new Map([[path, String(value)]])
  const isList = Array.isArray(value)
  if (isList && value.length === 0) return new Map()
  if (isList && !value.every(it => typeof it?.name === "string"))
    return new Map([[path, JSON.stringify(value)]])
  const entries: [string, unknown][] = isList
    ? value.map(({ name, ...rest }) => [name, Object.keys(rest).join() === "value" ? rest.value : rest])
    : Object.entries(value)
  const set = entries.filter(
    ([key, part]) => part !== undefined && !(key === "cpu" && part === 0) && !(key === "essential" && part),
  )
  return new Map(set.flatMap(([key, part]) => [...leaves(part, path === "" ? key : `${path}.${key}`)]))
}

/** A copy without the read-only fields and without the top-level fields that hold nothing. */
function writable(definition: TaskDefinition): TaskDefinition {
  const entries = Object.entries(definition).filter(
    ([name, value]) =>
      !readOnly.has(name) && name !== "tags" && value !== undefined && value !== null && value !== "",
  )
  return Object.fromEntries(entries)
}

function withVersion(environment: { name?: string; value?: string }[], version: string) {
  const entry = { name: versionVariable, value: version }
  const has = environment.some(({ name }) => name === versionVariable)
  if (!has) return [...environment, entry]
  return environment.map(it => (it.name === versionVariable ? entry : it))
}

/** AWS's own tags (`aws:`) cannot be set; of this pipeline's tags, only those of this release are kept. */
function releaseTags(tags: Tag[], { version, commit }: Release): Tag[] {
  const kept = tags.filter(({ key }) => !key?.startsWith("aws:") && !key?.startsWith("ecs-release:"))
  return [
    ...kept,
    { key: versionTag, value: version },
    ...(commit === undefined ? [] : [{ key: commitTag, value: commit }]),
  ]
}

/** A text as a tag may hold it (ECS API reference, Tag): up to 256 letters, digits, spaces and + - = . _ : / @. */
export function tagValue(text: string): string {
  return text
    .replace(/[^\p{L}\p{N}+\-=._:/@]+/gu, " ")
    .trim()
    .slice(0, 256)
}
