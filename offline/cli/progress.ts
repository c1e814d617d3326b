import type { Globals } from "./globals.js"

/** Takes one line of progress. */
export type Log = (line: string) => void

/** Progress goes to standard error line by line as it happens, and nowhere with --silent. Of a script its first line is told. */
export function progressLog(globals: Globals): Log {
  return line => {
    if (!globals.silent) process.stderr.write(`${line.replace(/\s*\n[\s\S]*$/, " …")}\n`)
  }
}
