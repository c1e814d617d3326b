import { RESET } from "../machine/kept.js"

interface Details {
  /** The command whose help is pointed at, after a mistake in the command line. */
  usage?: string
  exitCode?: number
  /** The output of a failed command. */
  stdout?: string
  stderr?: string
}

/** A mistake in the command, or a failure of what it ran: a message for the user, without a stack. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly details: Details = {},
  ) {
    super(message)
  }
}

/**
 * The error for what the API answered. The extensions of a failed command (`_type` EXEC_ERROR) give its exit code and output
 * to the command line.
 */
export function apiError(message: string, extensions: Record<string, unknown> = {}): CliError {
  if (extensions._type !== "EXEC_ERROR") return new CliError(message)
  const { exitCode, stdout, stderr } = extensions as Details
  return new CliError(message, { exitCode: Number(exitCode) || 1, stdout, stderr })
}

/** An error's text for standard error: in the real CLI's form, but without the trace ID, which no one could look up. */
export function errorText(error: unknown): string {
  const message = (error as Error)?.message ?? String(error)
  const lines = [`Error: ${explained(message.replace(/ \[traceparent:[\da-f-]+]/, ""))}`]
  const { usage, stdout, stderr } = error instanceof CliError ? error.details : {}
  if (usage) lines.push(`Run '${usage} --help' for usage.`)
  if (stdout) lines.push("Stdout:", stdout)
  if (stderr) lines.push("Stderr:", stderr)
  return `${lines.join("\n")}\n`
}

/** A full disk may show up anywhere, in the words of the system, of Docker, or of git. */
function explained(message: string): string {
  if (!/ENOSPC|EDQUOT|no space left on device|disk quota exceeded/i.test(message)) return message
  return `the disk is full: ${message}\nFree some space and run this again; or make room: ${RESET}`
}
