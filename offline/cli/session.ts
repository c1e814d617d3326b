import { spawn } from "node:child_process"
import { constants } from "node:os"
import { ensureDocker } from "../machine/docker.js"
import { sessionsDir } from "../machine/home.js"
import { resolveImage } from "../machine/images.js"
import { type RunningSession, startSession } from "../session/server.js"
import { takeFlags } from "./commandLine.js"
import { type Globals, globalFlags } from "./commands.js"
import { CliError } from "./errors.js"
import { type Log, progressLog, STATE_DIR } from "./module.js"

/** Starts a session on Docker, which is found or started, for a caller in the folder `workdir`. */
export async function openSession(log: Log, workdir?: string): Promise<RunningSession> {
  const docker = await ensureDocker(log)
  const resolve = (reference: string) => resolveImage(docker, reference, log)
  return startSession({ docker, stateDir: sessionsDir(STATE_DIR), resolveImage: resolve, log, workdir })
}

/** How long a command is given to end after Ctrl-C, in milliseconds. */
const CLEANUP_MS = 10_000

/**
 * `dagger run CMD…`: runs a command that finds a session in DAGGER_SESSION_PORT and DAGGER_SESSION_TOKEN. No module is loaded.
 * Returns the command's exit code; 2 after Ctrl-C, which the command gets as SIGTERM.
 */
export async function run(words: readonly string[], globals: Globals): Promise<number> {
  const [command, ...args] = takeFlags(words, globalFlags(globals))
  if (command === undefined) throw new CliError("requires at least 1 arg(s), only received 0", { bare: true })
  const session = await openSession(progressLog(globals), globals.workdir)
  try {
    return await runCommand(command, args, { port: `${session.port}`, token: session.token }, globals.workdir)
  } finally {
    await session.close()
  }
}

function runCommand(
  command: string,
  args: string[],
  session: { port: string; token: string },
  cwd: string | undefined,
): Promise<number> {
  const env = { ...process.env, DAGGER_SESSION_PORT: session.port, DAGGER_SESSION_TOKEN: session.token }
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit", env, cwd })
    let canceled = false
    const cancel = () => {
      canceled = true
      child.kill("SIGTERM")
      setTimeout(() => child.kill("SIGKILL"), CLEANUP_MS).unref()
    }
    process.once("SIGINT", cancel).once("SIGTERM", cancel)
    child.once("error", error => {
      const missing = (error as NodeJS.ErrnoException).code === "ENOENT"
      const why = missing
        ? `exec: ${JSON.stringify(command)}: executable file not found in $PATH`
        : error.message
      reject(new CliError(why, { bare: true }))
    })
    child.once("close", (code, signal) => {
      if (canceled) process.stderr.write("run canceled\n")
      resolve(canceled ? 2 : (code ?? 128 + (signal ? constants.signals[signal] : 0)))
    })
  })
}
