import { randomBytes } from "node:crypto"
import { RESET } from "../machine/kept.js"

/** An error of whoever typed the command, or of what it ran: a message for them, without a stack. */
export class CliError extends Error {
  /** The command whose help is pointed at, after a mistake in the command line. */
  readonly usage?: string
  readonly exitCode: number
  /** Of a failed command: what it printed. */
  readonly stdout?: string
  readonly stderr?: string
  /** Said as it is, without a trace to look for: it never got as far as the engine. */
  readonly bare: boolean

  constructor(
    message: string,
    options: { usage?: string; exitCode?: number; stdout?: string; stderr?: string; bare?: boolean } = {},
  ) {
    super(message)
    this.usage = options.usage
    this.exitCode = options.exitCode ?? 1
    this.stdout = options.stdout
    this.stderr = options.stderr
    this.bare = options.bare ?? false
  }
}

/**
 * The error for what the API answered. The extensions of a failed command (`_type` EXEC_ERROR) give its exit code and output
 * to the command line.
 */
export function apiError(message: string, extensions: Record<string, unknown> = {}): CliError {
  if (extensions._type !== "EXEC_ERROR") return new CliError(message)
  return new CliError(message, {
    exitCode: Number(extensions.exitCode) || 1,
    stdout: extensions.stdout as string | undefined,
    stderr: extensions.stderr as string | undefined,
  })
}

/** What standard error gets for an error: the real CLI's form, line for line. */
export function errorText(error: unknown): string {
  const message = explained((error as Error)?.message ?? String(error))
  if (!(error instanceof CliError)) return `Error: ${traced(message)}\n`
  const lines = [`Error: ${error.bare ? message : traced(message)}`]
  if (error.usage) lines.push(`Run '${error.usage} --help' for usage.`)
  if (error.stdout) lines.push("Stdout:", error.stdout)
  if (error.stderr) lines.push("Stderr:", error.stderr)
  return `${lines.join("\n")}\n`
}

/** A full disk may show anywhere, in the words of the system, of Docker, or of git. */
function explained(message: string): string {
  if (!/ENOSPC|EDQUOT|no space left on device|disk quota exceeded/i.test(message)) return message
  return `the disk is full: ${message}\nFree some space and run this again; or make room: ${RESET}`
}

function traced(message: string): string {
  if (message.includes("[traceparent:")) return message
  return `${message} [traceparent:${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}]`
}
