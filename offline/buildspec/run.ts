import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { type Buildspec, parseBuildspec } from "./buildspec.js"
import { collect } from "./collect.js"
import { serveCredentials } from "./credentials.js"
import { BuildError } from "./errors.js"
import type { WebhookEvent } from "./event.js"
import type { BuildLog } from "./log.js"
import { lendPackages } from "./packages.js"
import { finished, type PhaseResult, runPhases, type State } from "./phases.js"
import type { Project } from "./project.js"
import { countCases, countsText } from "./reports.js"
import type { Sandbox } from "./sandbox.js"
import { BuildShell } from "./shell.js"
import { downloadSource } from "./source.js"
import { baseEnvironment } from "./tools.js"
import { builtInVariables, definedVariables } from "./variables.js"

export interface BuildOptions {
  /** The project's own folder: its `offline/dagger` is the build's Dagger. */
  checkout: string
  sandbox: Sandbox
  project: Project
  event: WebhookEvent
  /** A buildspec to use instead of the commit's own. */
  buildspec?: string
  /** The build's number among the project's. */
  number: number
  /** Folder for artifacts and reports; what is in it goes. */
  output: string
  log: BuildLog
  /** Fires with the reason TIMED_OUT or STOPPED. */
  signal: AbortSignal
}

export interface BuildResult {
  state: State
  phases: PhaseResult[]
  exported: Record<string, string>
  /** One line for each report group. */
  reports: Record<string, string>
  artifacts: string[]
}

/** Runs one build in a folder of its own, which goes afterwards. Never throws for what the build does wrong. */
export async function runBuild(options: BuildOptions): Promise<BuildResult> {
  const workspace = mkdtempSync(join(tmpdir(), "codebuild-"))
  const result: BuildResult = { state: "SUCCEEDED", phases: [], exported: {}, reports: {}, artifacts: [] }
  const close: (() => void)[] = [() => rmSync(workspace, { recursive: true, force: true })]
  try {
    const ready = await step("DOWNLOAD_SOURCE", result, options, () => prepare(options, workspace, close))
    if (ready) await build(options, ready, result)
  } finally {
    for (const one of close.reverse()) one()
  }
  result.state = result.phases.find(({ state }) => state !== "SUCCEEDED")?.state ?? "SUCCEEDED"
  return result
}

interface Ready {
  spec: Buildspec
  shell: BuildShell
  source: string
}

async function prepare(options: BuildOptions, workspace: string, close: (() => void)[]): Promise<Ready> {
  const { checkout, sandbox, project, event, log } = options
  const source = join(workspace, "src")
  log.say(`CODEBUILD_SRC_DIR=${source}`)
  await downloadSource(sandbox.repository, event.commit, project.cloneDepth, source)
  if (!lendPackages(checkout, workspace, source)) {
    log.say(
      "Note: the module runs with the packages of this checkout's package-lock.json, not of the commit's",
    )
  }
  const file = options.buildspec ?? resolve(source, project.buildspec)
  if (!existsSync(file)) throw new BuildError(`YAML file does not exist: ${project.buildspec}`)
  const spec = parseBuildspec(readFileSync(file, "utf8"))
  for (const path of spec.cachePaths)
    log.say(`Note: nothing is kept between builds here; cache path ${path} is passed over`)
  const isRelease = project.variables.some(({ type }) => type === "SECRETS_MANAGER")
  const role = isRelease ? sandbox.role : sandbox.powerless
  const endpoint = await serveCredentials(role)
  close.push(endpoint.close)
  const defined = definedVariables(spec, project, sandbox.secrets)
  log.mask([...defined.secret, role.id, role.secret, role.token])
  const variables = {
    ...(await baseEnvironment(workspace, {
      checkout,
      docker: sandbox.docker,
      endpoints: sandbox.endpoints,
      privileged: project.privileged,
      log: line => log.say(line),
    })),
    ...defined.variables,
    ...endpoint.variables,
    ...builtInVariables({
      project,
      event,
      number: options.number,
      region: sandbox.region,
      accountId: sandbox.accountId,
      repositoryUrl: sandbox.repository.url,
      sourceDir: source,
    }),
  }
  const shell = new BuildShell({
    shell: spec.shell,
    folder: join(workspace, "shell"),
    cwd: source,
    variables,
  })
  return { spec, shell, source }
}

async function build(
  options: BuildOptions,
  { spec, shell, source }: Ready,
  result: BuildResult,
): Promise<void> {
  const { log, signal, output } = options
  const { results, collect: goesOn } = await runPhases({ spec, shell, log, signal })
  result.phases.push(...results)
  result.exported = await shell.values(spec.exported)
  if (!goesOn) return
  await step("UPLOAD_ARTIFACTS", result, options, () => {
    rmSync(output, { recursive: true, force: true })
    mkdirSync(output, { recursive: true })
    for (const [name, set] of Object.entries(spec.reports)) {
      const folder = join(output, "reports", name)
      result.reports[name] = countsText(countCases(folder, collect(set, source, folder, "report")))
      log.say(`Report ${options.project.name}-${name}: ${result.reports[name]}`)
    }
    if (spec.artifacts)
      result.artifacts = collect(spec.artifacts, source, join(output, "artifacts"), "artifact")
  })
}

/** Runs what is no phase of the buildspec, and records how it went. */
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
