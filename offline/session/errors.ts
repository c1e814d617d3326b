import { randomBytes } from "node:crypto"

/** A mistake or a failure that the message alone explains. */
export class UserError extends Error {}

/** A command that didn't end as expected, as clients of the API know it. */
export class ExecError extends UserError {
  readonly extensions: Record<string, unknown>

  constructor(
    cmd: string[],
    exitCode: number,
    stdout: string,
    stderr: string,
    message = `exit code: ${exitCode}`,
  ) {
    super(message)
    this.extensions = { _type: "EXEC_ERROR", cmd, exitCode, stderr: shown(stderr), stdout: shown(stdout) }
  }
}

/** The error for a path that is not there. */
export function notFound(path: string): UserError {
  return new UserError(`stat ${path}: no such file or directory`)
}

/** A message as the engine gives it: with the trace it belongs to. There is none here, so the number is random. */
export function traced(message: string): string {
  return `${message} [traceparent:${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}]`
}

/** Most characters of an output that an error carries; the engine's limit. */
const LIMIT = 100 * 1024

function shown(output: string): string {
  const text = output.replace(/\n+$/, "")
  return text.length <= LIMIT ? text : `[omitting ${text.length - LIMIT} bytes]...${text.slice(-LIMIT)}`
}
