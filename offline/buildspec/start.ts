import { join } from "node:path"
import { config } from "../../infra/config.js"
import type { WebhookEvent } from "./event.js"
import type { BuildLog } from "./log.js"
import { nextNumber } from "./number.js"
import { infraProjects, type Project, projectFor } from "./project.js"
import { type BuildResult, runBuild } from "./run.js"
import { openSandbox, type Sandbox } from "./sandbox.js"

export interface StartOptions {
  /** The project's own folder. */
  checkout: string
  /** The folder that owns the sandbox. */
  stateDir: string
  /** The repository whose remote the sandbox has. */
  source: string
  event: WebhookEvent
  /** A buildspec to use instead of the commit's own. */
  buildspec?: string
  /** Folder for reports and artifacts (default: one in the sandbox's). */
  output?: string
  log: BuildLog
  /** Fires with STOPPED where the build is to end. */
  signal?: AbortSignal
}

/**
 * Does what a webhook's event sets off: finds the project that takes it, and runs its build to the end or until its time
 * is up.
 *
 * @throws BuildError where no project takes the event
 */
export async function startBuild(
  options: StartOptions,
): Promise<{ project: Project; sandbox: Sandbox; result: BuildResult }> {
  const { stateDir, event, log } = options
  const project = projectFor(event, infraProjects())
  const sandbox = await sandboxOf(options)
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort("TIMED_OUT"), project.timeoutMinutes * 60_000)
  try {
    const result = await runBuild({
      ...options,
      sandbox,
      project,
      number: nextNumber(stateDir, project.name),
      output: options.output ?? join(stateDir, "codebuild"),
      event,
      log,
      signal: options.signal ? AbortSignal.any([timeout.signal, options.signal]) : timeout.signal,
    })
    return { project, sandbox, result }
  } finally {
    clearTimeout(timer)
  }
}

/** The sandbox as infra's configuration names things. */
export function sandboxOf(options: { stateDir: string; source: string; log: BuildLog }): Promise<Sandbox> {
  const { stateDir, source, log } = options
  const { gitTokenSecret } = config.source
  return openSandbox({ stateDir, source, gitTokenSecret, log: line => log.say(line) })
}
