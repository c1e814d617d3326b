import { config } from "../../infra/config.js"
import { synthesize } from "../../infra/lib/synth.js"
import { BuildError } from "./command.js"
import type { WebhookEvent } from "./event.js"

/** A CodeBuild project, as far as it matters to a build's commands. */
export interface Project {
  name: string
  buildspec: string
  image: string
  privileged: boolean
  /** Commits to clone; 0 for all. */
  cloneDepth: number
  timeoutMinutes: number
  variables: { name: string; secret: boolean; value: string }[]
  filterGroups: Filter[][]
}

/** One condition of a webhook; all of a group must hold. */
export interface Filter {
  Type: string
  Pattern: string
  ExcludeMatchedPattern?: boolean
}

/** The CodeBuild projects that infra/ makes, read from its own template. */
export function infraProjects(): Project[] {
  const { Resources } = synthesize(config)
  return Object.values(Resources)
    .filter(({ Type }) => Type === "AWS::CodeBuild::Project")
    .map(({ Properties }) => project(Properties as unknown as ProjectProperties))
}

/** The project that an event starts. Throws BuildError if none does. */
export function projectFor(event: WebhookEvent, projects: Project[]): Project {
  const found = projects.find(({ filterGroups }) => starts(event, filterGroups))
  if (found) return found
  const what = `${event.type} of ${event.headRef}${event.baseRef ? ` for ${event.baseRef}` : ""}`
  throw new BuildError(`No build starts: no project's webhook (infra/lib/build.ts) accepts a ${what}.`)
}

/** True if an event starts a build: the filters of at least one group all hold. Throws BuildError for a type unknown here. */
export function starts(event: WebhookEvent, groups: Filter[][]): boolean {
  return groups.some(group => group.every(filter => holds(event, filter)))
}

function holds(event: WebhookEvent, { Type, Pattern, ExcludeMatchedPattern = false }: Filter): boolean {
  if (Type === "EVENT") return Pattern.split(/,\s*/).includes(event.type)
  const refs: Record<string, string | undefined> = { HEAD_REF: event.headRef, BASE_REF: event.baseRef }
  if (!(Type in refs)) throw new BuildError(`the webhook's filter ${Type} is not supported here.`)
  const ref = refs[Type]
  return ref !== undefined && new RegExp(Pattern).test(ref) !== ExcludeMatchedPattern
}

/** The properties of AWS::CodeBuild::Project that are read here. */
interface ProjectProperties {
  Name: string
  TimeoutInMinutes?: number
  Source: { BuildSpec?: string; GitCloneDepth?: number }
  Environment: {
    Image: string
    PrivilegedMode?: boolean
    EnvironmentVariables?: { Name: string; Type?: string; Value: string }[]
  }
  Triggers?: { FilterGroups?: Filter[][] }
}

function project({ Name, TimeoutInMinutes, Source, Environment, Triggers }: ProjectProperties): Project {
  const depth = Source.GitCloneDepth ?? 0
  return {
    name: Name,
    buildspec: Source.BuildSpec ?? "buildspec.yml",
    image: Environment.Image,
    privileged: Environment.PrivilegedMode === true,
    // More than 25 is all of it (ProjectSource in CodeBuild's API reference).
    cloneDepth: depth > 25 ? 0 : depth,
    timeoutMinutes: TimeoutInMinutes ?? 60,
    variables: (Environment.EnvironmentVariables ?? []).map(variable),
    filterGroups: Triggers?.FilterGroups ?? [],
  }
}

function variable({ Name, Type = "PLAINTEXT", Value }: { Name: string; Type?: string; Value: string }) {
  if (Type === "PARAMETER_STORE") throw new BuildError(`${Name}: Parameter Store is not supported here.`)
  return { name: Name, secret: Type === "SECRETS_MANAGER", value: Value }
}
