import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { config } from "../../infra/config.js"
import { WORLD } from "../aws/names.js"
import { type World, worldUp } from "../sandbox.js"
import { BuildError } from "./command.js"
import {
  baseEnvironment,
  builtInVariables,
  projectVariables,
  type RoleCredentials,
  serveCredentials,
} from "./environment.js"
import type { WebhookEvent } from "./event.js"
import type { BuildLog } from "./log.js"
import { finished, type PhaseResult, runPhases, type State } from "./phases.js"
import { infraProjects, type Project, projectFor } from "./project.js"
import { countCases } from "./reports.js"
import { BuildShell } from "./shell.js"
import { downloadSource, lendPackages, type Repository } from "./source.js"
import { type Buildspec, parseBuildspec } from "./spec.js"

export interface StartOptions {
  /** The project's own folder: its `offline/dagger` is the build's Dagger. */
  checkout: string
  /** The folder that owns the sandbox. */
  stateDir: string
  /** The repository whose remote the sandbox has. */
  source: string
  event: WebhookEvent
  /** A buildspec to use instead of the commit's own. */
  buildspec?: string
  log: BuildLog
  /** Fires with STOPPED to end the build. */
  signal?: AbortSignal
}

/**
 * Does what a webhook's event triggers: finds the project that takes it, and runs its build to the end or until its time
 * is up.
 *
 * @throws BuildError if no project takes the event
 */
export async function startBuild(options: StartOptions): Promise<{ project: Project; result: BuildResult }> {
  const { stateDir, source, event, log } = options
  const project = projectFor(event, infraProjects())
  const world = await worldUp(stateDir, source, line => log.say(line))
  const timeout = AbortSignal.timeout(project.timeoutMinutes * 60_000)
  const result = await runBuild({
    ...options,
    world,
    project,
    repository: { url: world.git.url, token: world.git.token },
    secrets: { [config.source.gitTokenSecret]: world.git.token },
    signal: options.signal ? AbortSignal.any([timeout, options.signal]) : timeout,
  })
  return { project, result }
}

export interface BuildOptions extends Pick<StartOptions, "checkout" | "event" | "buildspec" | "log"> {
  world: World
  project: Project
  repository: Repository
  /** Stands in for Secrets Manager: secrets by name. */
  secrets: Record<string, string>
  /** Fires with STOPPED, or because the time is up. */
  signal: AbortSignal
}

export interface BuildResult {
  state: State
  phases: PhaseResult[]
  exported: Record<string, string>
  /** One line for each report group. */
  reports: Record<string, string>
}

/** Runs one build in its own folder, which is removed afterwards. It does not throw if the build fails. */
export async function runBuild(options: BuildOptions): Promise<BuildResult> {
  const workspace = mkdtempSync(join(tmpdir(), "codebuild-"))
  const result: BuildResult = { state: "SUCCEEDED", phases: [], exported: {}, reports: {} }
  const role = roleOf(options)
  const credentials = await serveCredentials(role)
  try {
    const ready = await step("DOWNLOAD_SOURCE", result, options, () =>
      prepare(options, workspace, role, credentials.variables),
    )
    if (ready) await build(options, ready, result)
  } finally {
    credentials.close()
    rmSync(workspace, { recursive: true, force: true })
  }
  result.state = result.phases.find(({ state }) => state !== "SUCCEEDED")?.state ?? "SUCCEEDED"
  return result
}

/** The pipeline's role for the project that gets the token, too; for pull requests one without any permissions here. */
function roleOf({ world, project }: BuildOptions): RoleCredentials {
  const arn = (name: string) => `arn:aws:iam::${WORLD.accountId}:role/${name}`
  if (!project.variables.some(({ secret }) => secret))
    return { role: arn("pull-request"), id: "ASIAPULLREQUEST", secret: "no-rights", token: "no-rights" }
  const {
    AWS_ACCESS_KEY_ID: id,
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_SESSION_TOKEN: token,
  } = world.emulator.env
  return { role: arn(WORLD.pipelineRole), id, secret, token }
}

interface Ready {
  spec: Buildspec
  shell: BuildShell
  source: string
}

async function prepare(
  options: BuildOptions,
  workspace: string,
  role: RoleCredentials,
  credentials: Record<string, string>,
): Promise<Ready> {
  const { checkout, world, project, event, repository, log } = options
  const source = join(workspace, "src")
  log.say(`CODEBUILD_SRC_DIR=${source}`)
  await downloadSource(repository, event.commit, project.cloneDepth, source)
  if (!lendPackages(checkout, workspace, source)) {
    log.say(
      "Note: the module runs with the packages of this checkout's package-lock.json, not the commit's own",
    )
  }
  const file = options.buildspec ?? resolve(source, project.buildspec)
  if (!existsSync(file)) throw new BuildError(`YAML file does not exist: ${project.buildspec}`)
  const spec = parseBuildspec(readFileSync(file, "utf8"))
  const own = projectVariables(project, options.secrets)
  log.mask([...Object.values(options.secrets), role.id, role.secret, role.token])
  const variables = {
    ...(await baseEnvironment(workspace, {
      checkout,
      docker: world.docker,
      awsPort: world.emulator.port,
      gitPort: world.git.port,
      privileged: project.privileged,
      log: line => log.say(line),
    })),
    // The project's come second: they win if both define one.
    ...spec.env.variables,
    ...own,
    ...credentials,
    ...builtInVariables({
      project,
      event,
      region: WORLD.region,
      accountId: WORLD.accountId,
      repositoryUrl: repository.url,
      sourceDir: source,
    }),
  }
  const folder = join(workspace, "shell")
  const shell = new BuildShell({ shell: spec.env.shell, folder, cwd: source, variables })
  return { spec, shell, source }
}

async function build(
  options: BuildOptions,
  { spec, shell, source }: Ready,
  result: BuildResult,
): Promise<void> {
  const { log, signal, project } = options
  const { results, collect } = await runPhases({ spec, shell, log, signal })
  result.phases.push(...results)
  result.exported = await shell.values(spec.env["exported-variables"])
  if (!collect) return
  await step("UPLOAD_ARTIFACTS", result, options, () => {
    for (const [name, group] of Object.entries(spec.reports)) {
      result.reports[name] = countCases(group, source)
      log.say(`Report ${project.name}-${name}: ${result.reports[name]}`)
    }
  })
}

/** Runs a step that isn't a phase of the buildspec, and records how it went. */
async function step<T>(
  name: string,
  result: BuildResult,
  { log }: BuildOptions,
  act: () => T,
): Promise<Awaited<T> | undefined> {
  const began = performance.now()
  const end = (state: State, code: string, message: string) =>
    result.phases.push(
      finished(log, { name, state, seconds: (performance.now() - began) / 1000, code, message }),
    )
  try {
    const value = await act()
    end("SUCCEEDED", "", "")
    return value
  } catch (error) {
    if (!(error instanceof BuildError)) throw error
    end("FAILED", "CLIENT_ERROR", error.message)
    return undefined
  }
}

/** A build's result, for a person to read: each phase with its state and duration, what was exported and reported. */
export function summaryText(project: string, { state, phases, exported, reports }: BuildResult): string {
  const named = (title: string, values: Record<string, string>) =>
    Object.entries(values).map(([name, value]) => `${title} ${name}: ${value}`)
  const failed = phases.find(phase => phase.state !== "SUCCEEDED")
  return [
    `Build of ${project}: ${state}`,
    ...phases.map(
      ({ name, state, seconds }) =>
        `  ${name.padEnd(16)}  ${state.padEnd(9)}  ${seconds.toFixed(1).padStart(6)} s`,
    ),
    ...(failed ? [`Why: ${failed.message}`] : []),
    ...named("Exported", exported),
    ...named("Report", reports),
    "",
  ].join("\n")
}
