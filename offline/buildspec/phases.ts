import type { BuildLog } from "./log.js"
import type { BuildShell } from "./shell.js"
import { type Buildspec, PHASES, type Phase } from "./spec.js"

export type State = "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "STOPPED"

/** How a phase went. `code` and `message` say why it failed. */
export interface PhaseResult {
  name: string
  state: State
  seconds: number
  code: string
  message: string
}

/** The input for running the phases. `signal` fires with STOPPED, or because the time is up. */
export interface PhaseContext {
  spec: Buildspec
  shell: BuildShell
  log: BuildLog
  signal: AbortSignal
}

/**
 * Runs the phases in order, as CodeBuild does (Build phase transitions in its user guide): a failing command ends its phase's
 * commands, and `finally` still runs; a failing install or pre_build ends the build, a failing build is followed by
 * post_build.
 *
 * @returns the phases that ran, and whether reports are still collected
 */
export async function runPhases(
  context: PhaseContext,
): Promise<{ results: PhaseResult[]; collect: boolean }> {
  const results: PhaseResult[] = []
  for (const name of PHASES) {
    const succeeding = results.every(({ state }) => state === "SUCCEEDED")
    const result = await runPhase(name, context.spec.phases[name], context, succeeding)
    results.push(result)
    const goesOn = result.state === "FAILED" && (name === "build" || name === "post_build")
    if (result.state !== "SUCCEEDED" && !goesOn) return { results, collect: false }
  }
  return { results, collect: true }
}

async function runPhase(
  name: string,
  phase: Phase | undefined,
  { shell, log, signal }: PhaseContext,
  succeeding: boolean,
): Promise<PhaseResult> {
  log.say(`Entering phase ${name.toUpperCase()}`)
  const began = performance.now()
  let failure: string | undefined
  const runAll = async (commands: string[]) => {
    for (const command of commands) {
      if (signal.aborted) return
      const set = { CODEBUILD_BUILD_SUCCEEDING: succeeding && failure === undefined ? "1" : "0" }
      log.say(`Running command ${command.trimEnd()}`)
      const code = await shell.execute(command, { set, output: log.output, signal })
      if (code === 0) continue
      log.say(`Command did not exit successfully ${command.trimEnd()} exit status ${code}`)
      failure ??= `Error while executing command: ${command.trimEnd()}. Reason: exit status ${code}`
      return
    }
  }
  await runAll(phase?.commands ?? [])
  await runAll(phase?.finally ?? [])
  const end = { name: name.toUpperCase(), seconds: (performance.now() - began) / 1000 }
  if (signal.aborted) {
    const message = `The build was stopped during ${end.name}`
    const state = signal.reason === "STOPPED" ? "STOPPED" : "TIMED_OUT"
    return finished(log, { ...end, state, code: `BUILD_${state}`, message })
  }
  if (failure === undefined) return finished(log, { ...end, state: "SUCCEEDED", code: "", message: "" })
  return finished(log, { ...end, state: "FAILED", code: "COMMAND_EXECUTION_ERROR", message: failure })
}

/** Says how a phase ended, in CodeBuild's words, and returns the result. */
export function finished(log: BuildLog, result: PhaseResult): PhaseResult {
  log.say(`Phase complete: ${result.name} State: ${result.state}`)
  log.say(`Phase context status code: ${result.code} Message: ${result.message}`)
  return result
}
