import { config } from "../../infra/config.js"
import { synthesize } from "../../infra/lib/synth.js"
import { BuildError } from "./errors.js"
import { type FilterGroup, starts, type WebhookEvent } from "./event.js"

/** A variable as the project defines it; a secret's value is its reference. */
export interface ProjectVariable {
  name: string
  type: "PLAINTEXT" | "SECRETS_MANAGER" | "PARAMETER_STORE"
  value: string
}

/** A CodeBuild project, as far as it matters to a build's commands. */
export interface Project {
  name: string
  buildspec: string
  image: string
  privileged: boolean
  /** Commits to clone; 0 for all. */
  cloneDepth: number
  timeoutMinutes: number
  variables: ProjectVariable[]
  filterGroups: FilterGroup[]
}

/** The CodeBuild projects that infra/ makes, read from its very template. */
export function infraProjects(): Project[] {
  const { Resources } = synthesize(config)
  return Object.values(Resources)
    .filter(({ Type }) => Type === "AWS::CodeBuild::Project")
    .map(({ Properties }) => project(Properties as unknown as ProjectProperties))
}

/** The project that an event starts. Throws BuildError where none does. */
export function projectFor(event: WebhookEvent, projects: Project[]): Project {
  const found = projects.find(({ filterGroups }) => starts(event, filterGroups))
  if (found) return found
  const what = `${event.type} of ${event.headRef}${event.baseRef ? ` for ${event.baseRef}` : ""}`
  throw new BuildError(`No build starts: no project's webhook (infra/lib/build.ts) takes a ${what}.`)
}

/** The properties of AWS::CodeBuild::Project that are read here. */
interface ProjectProperties {
  Name: string
  TimeoutInMinutes?: number
  Source: { BuildSpec?: string; GitCloneDepth?: number }
  Environment: {
    Image: string
    PrivilegedMode?: boolean
    EnvironmentVariables?: { Name: string; Type?: ProjectVariable["type"]; Value: string }[]
  }
  Triggers?: { FilterGroups?: { Type: string; Pattern: string; ExcludeMatchedPattern?: boolean }[][] }
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
    variables: (Environment.EnvironmentVariables ?? []).map(one => ({
      name: one.Name,
      type: one.Type ?? "PLAINTEXT",
      value: one.Value,
    })),
    filterGroups: (Triggers?.FilterGroups ?? []).map(group =>
      group.map(one => ({
        type: one.Type,
        pattern: one.Pattern,
        exclude: one.ExcludeMatchedPattern === true,
      })),
    ),
  }
}
