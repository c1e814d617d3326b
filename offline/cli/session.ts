import { spawn } from "node:child_process"
import { constants } from "node:os"
import { ensureDocker } from "../machine/docker.js"
import { sessionsDir } from "../machine/home.js"
import { resolveImage } from "../machine/images.js"
import { type RunningSession, startSession } from "../session/server.js"
import { takeFlags } from "./command-line.js"
import { type Globals, globalFlags } from "./commands.js"
import { CliError } from "./errors.js"
import { type Log, progressLog, stateDir } from "./module.js"

/** Starts a session on Docker, which is found or started, for a caller in the folder `workdir`. */
export async function openSession(log: Log, workdir?: string): Promise<RunningSession> {
  const docker = await ensureDocker(log)
  const resolve = (reference: string) => resolveImage(docker, reference, log)
  return startSession({ docker, stateDir: sessionsDir(stateDir()), resolveImage: resolve, log, workdir })
}

/**
 * `dagger run CMD…`: runs a command that finds a session in DAGGER_SESSION_PORT and DAGGER_SESSION_TOKEN. No module is loaded.
 * Gives the command's exit code.
 */
export async function run(words: readonly string[], globals: Globals): Promise<number> {
  const [command, ...args] = takeFlags(words, globalFlags(globals))
  if (command === undefined) throw new CliError("requires at least 1 arg(s), only received 0")
  const session = await openSession(progressLog(globals), globals.workdir)
  try {
    const env = { DAGGER_SESSION_PORT: `${session.port}`, DAGGER_SESSION_TOKEN: session.token }
    return await runCommand(command, args, env, globals.workdir)
  } finally {
    await session.close()
  }
}

/** Runs a command in this one's place, with its standard streams and signals, and `env` added. Gives its exit code. */
export function runCommand(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  cwd?: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit", env: { ...process.env, ...env }, cwd })
    // Ctrl-C at a terminal reaches the command too; only signals that were sent to this process alone are passed on.
    process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"))
    process.on("SIGTERM", () => child.kill("SIGTERM"))
    child.once("error", error => {
      const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT"
      const missing = `exec: ${JSON.stringify(command)}: executable file not found in $PATH`
      reject(new CliError(isMissing ? missing : error.message))
    })
    child.once("close", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
  })
}
