/** A signal that fires with STOPPED on Ctrl-C; this process then ends by itself. */
export function interrupt(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => controller.abort("STOPPED"))
  return controller.signal
}
