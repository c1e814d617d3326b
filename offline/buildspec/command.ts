/** A mistake in the buildspec or in the command line: a message for its author, without a stack. */
export class BuildError extends Error {}

/**
 * Runs a command to its exit code. Its signal fires with STOPPED on Ctrl-C, and the command then ends by itself.
 *
 * @param failed the exit code when it throws
 */
export function command(main: (signal: AbortSignal) => Promise<number>, failed: number): void {
  const controller = new AbortController()
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => controller.abort("STOPPED"))
  main(controller.signal).then(
    code => process.exit(code),
    error => {
      if (error === "STOPPED") process.exit(130)
      const isUsers = error instanceof BuildError || error.code?.startsWith("ERR_PARSE_ARGS")
      process.stderr.write(`Error: ${isUsers ? error.message : error.stack}\n`)
      process.exit(failed)
    },
  )
}
