/** How long what runs is given to end, in milliseconds, before the command ends without it. */
const PATIENCE = 700

/**
 * On Ctrl-C (or SIGTERM): says `Canceled.`, ends what runs by `close` and exits with 1, within a second whatever `close` does.
 */
export function onInterrupt(close: () => Promise<void>): void {
  const cancel = () => {
    process.stderr.write("Canceled.\n")
    setTimeout(() => process.exit(1), PATIENCE).unref()
    close().then(
      () => process.exit(1),
      () => process.exit(1),
    )
  }
  process.once("SIGINT", cancel)
  process.once("SIGTERM", cancel)
}
