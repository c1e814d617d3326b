import type { Globals } from "./globals.js"

/** Takes one line of progress; `detail` marks the commands in containers and their output. */
export type Log = (line: string, detail?: boolean) => void

/**
 * Progress goes to standard error line by line as it happens, and nowhere with --silent. Details are shown with --verbose.
 * Of a script its first line is told.
 */
export function progressLog(globals: Globals): Log {
  return (line, detail = false) => {
    if (!globals.silent && (!detail || globals.verbose > 0))
      process.stderr.write(`${line.replace(/\s*\n[\s\S]*$/, " …")}\n`)
  }
}
