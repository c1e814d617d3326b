import { parse } from "yaml"
import { BuildError } from "./errors.js"
import { list, mapping, only, text, texts } from "./yaml.js"

/** The phases a buildspec can have, in the order in which they run. */
export const PHASES = ["install", "pre_build", "build", "post_build"] as const
export type PhaseName = (typeof PHASES)[number]

/** What happens when a phase fails; undefined is CodeBuild's usual order (phases.ts). */
export type OnFailure = "ABORT" | "CONTINUE" | "RETRY"

export interface Phase {
  commands: string[]
  finally: string[]
  onFailure?: OnFailure
}

/** Files to collect, relative to a folder of the source. */
export interface FileSet {
  files: string[]
  baseDirectory: string
  discardPaths: boolean
}

export interface Buildspec {
  shell: "bash" | "/bin/sh"
  variables: Record<string, string>
  /** Variable to reference: `SECRET_ID[:JSON_KEY[:STAGE[:VERSION]]]`. */
  secrets: Record<string, string>
  exported: string[]
  phases: Partial<Record<PhaseName, Phase>>
  /** By the name of the report group. */
  reports: Record<string, FileSet>
  artifacts?: FileSet
  /** Paths that CodeBuild would keep between builds. */
  cachePaths: string[]
}

/**
 * Reads a buildspec of version 0.2, as the build specification reference describes it.
 *
 * @throws BuildError for what CodeBuild refuses too, and for what it knows and this runner does not: nothing is passed over
 */
export function parseBuildspec(source: string): Buildspec {
  const spec = mapping(read(source), "buildspec")
  only(
    spec,
    "buildspec",
    ["version", "env", "phases", "reports", "artifacts", "cache"],
    ["run-as", "proxy", "batch"],
  )
  if (String(spec.version) !== "0.2")
    throw new BuildError(`version is ${spec.version}: this runner knows 0.2.`)
  const phases = mapping(spec.phases, "phases")
  only(phases, "phases", PHASES)
  const found = PHASES.filter(name => phases[name] != null).map(name => [
    name,
    phase(phases[name], `phases.${name}`),
  ])
  if (found.length === 0)
    throw new BuildError("phases holds none of install, pre_build, build and post_build.")
  const reports = Object.entries(mapping(spec.reports ?? {}, "reports"))
  const cache = mapping(spec.cache ?? {}, "cache")
  only(cache, "cache", ["paths"], ["key", "fallback-keys", "action"])
  return {
    ...environment(spec.env ?? {}),
    phases: Object.fromEntries(found),
    reports: Object.fromEntries(reports.map(([name, value]) => [name, report(value, `reports.${name}`)])),
    artifacts: spec.artifacts == null ? undefined : artifacts(spec.artifacts),
    cachePaths: list(cache.paths ?? [], "cache.paths"),
  }
}

function read(source: string): unknown {
  try {
    return parse(source)
  } catch (error) {
    throw new BuildError(`it is not YAML: ${(error as Error).message.trim()}`)
  }
}

function environment(value: unknown): Pick<Buildspec, "shell" | "variables" | "secrets" | "exported"> {
  const env = mapping(value, "env")
  const known = ["shell", "variables", "secrets-manager", "exported-variables", "git-credential-helper"]
  only(env, "env", known, ["parameter-store"])
  if (isYes(env["git-credential-helper"])) throw unsupported("env.git-credential-helper")
  const shell = env.shell ?? "/bin/sh"
  if (shell !== "bash" && shell !== "/bin/sh")
    throw new BuildError(`env.shell is ${shell}: it can be bash or /bin/sh.`)
  const variables = texts(env.variables ?? {}, "env.variables")
  const secrets = texts(env["secrets-manager"] ?? {}, "env.secrets-manager")
  const exported = list(env["exported-variables"] ?? [], "env.exported-variables")
  const reserved = Object.keys({ ...variables, ...secrets }).find(name => name.startsWith("CODEBUILD_"))
  if (reserved)
    throw new BuildError(`env sets ${reserved}: names that begin with CODEBUILD_ are CodeBuild's own.`)
  const misnamed = [...Object.keys({ ...variables, ...secrets }), ...exported].find(
    name => !/^[A-Za-z_]\w*$/.test(name),
  )
  if (misnamed !== undefined)
    throw new BuildError(`env has ${JSON.stringify(misnamed)}, which is no name of a variable.`)
  const secret = exported.find(name => name in secrets || name.startsWith("AWS_"))
  if (secret)
    throw new BuildError(
      `env.exported-variables has ${secret}: secrets and AWS_ variables can't be exported.`,
    )
  return { shell, variables, secrets, exported }
}

function phase(value: unknown, where: string): Phase {
  const given = mapping(value, where)
  only(given, where, ["commands", "finally", "on-failure"], ["run-as", "runtime-versions"])
  const commands = list(given.commands ?? [], `${where}.commands`)
  if (commands.length === 0) throw new BuildError(`${where}.commands is missing.`)
  return {
    commands,
    finally: list(given.finally ?? [], `${where}.finally`),
    onFailure: onFailure(given, where),
  }
}

function onFailure(given: Record<string, unknown>, where: string): OnFailure | undefined {
  const value = given["on-failure"]
  if (value == null) return undefined
  if (value === "ABORT" || value === "CONTINUE") return value
  if (typeof value === "string" && /^RETRY(-.+)?$/.test(value)) return "RETRY"
  throw new BuildError(
    `${where}.on-failure is ${value}: it can be ABORT, CONTINUE or RETRY (RETRY-COUNT, RETRY-REGEX).`,
  )
}

function report(value: unknown, where: string): FileSet {
  const given = mapping(value, where)
  only(given, where, ["files", "base-directory", "discard-paths", "file-format"])
  const format = given["file-format"] ?? "JUNITXML"
  if (format !== "JUNITXML") throw unsupported(`${where}.file-format ${format}`)
  return fileSet(given, where)
}

function artifacts(value: unknown): FileSet {
  const given = mapping(value, "artifacts")
  const others = ["exclude-paths", "enable-symlinks", "s3-prefix", "secondary-artifacts"]
  only(given, "artifacts", ["files", "name", "base-directory", "discard-paths"], others)
  return fileSet(given, "artifacts")
}

function fileSet(given: Record<string, unknown>, where: string): FileSet {
  const files = list(given.files ?? [], `${where}.files`)
  if (files.length === 0) throw new BuildError(`${where}.files is missing.`)
  const baseDirectory = text(given["base-directory"] ?? ".", `${where}.base-directory`)
  return { files, baseDirectory, discardPaths: isYes(given["discard-paths"]) }
}

/** YAML 1.2 reads `yes` as a text, CodeBuild as true. */
function isYes(value: unknown): boolean {
  return value === true || value === "yes"
}

function unsupported(what: string): BuildError {
  return new BuildError(`${what} is not supported here: CodeBuild knows it, this runner does not.`)
}
