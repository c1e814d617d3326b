import type { FlagHelp } from "./flaghelp.js"
import { type Flag, FlagError } from "./flags.js"

/** What the flags common to all commands say. */
export interface Globals {
  silent: boolean
  quiet: number
  verbose: number
  progress: string
  workdir?: string
  /** A module's folder, or the dagger.json in it. */
  mod?: string
  output?: string
  json: boolean
}

/** The common flags' values before any was given. */
export function defaultGlobals(): Globals {
  const silent = ["1", "t", "true"].includes((process.env.DAGGER_SILENT ?? "").toLowerCase())
  return { silent, quiet: 0, verbose: 0, progress: "auto", json: false }
}

/** The flags that every command takes; each is written into `globals`. */
export function globalFlags(globals: Globals): Flag[] {
  const nothing = () => {}
  return [
    { name: "silent", short: "s", alone: "true", set: text => (globals.silent = text !== "false") },
    { name: "quiet", short: "q", alone: "+1", set: () => globals.quiet++ },
    { name: "verbose", short: "v", alone: "+1", set: () => globals.verbose++ },
    { name: "debug", short: "d", alone: "true", set: nothing },
    { name: "progress", set: text => setProgress(globals, text) },
    { name: "interactive", short: "i", alone: "true", set: nothing },
    { name: "interactive-command", set: nothing },
    { name: "web", short: "w", alone: "true", set: nothing },
    { name: "no-exit", short: "E", alone: "true", set: nothing },
    { name: "auto-apply", short: "y", alone: "true", set: nothing },
    { name: "lock", set: nothing },
    { name: "workdir", set: text => (globals.workdir = text) },
  ]
}

/** The flags of the commands that load a module. */
export function moduleFlags(globals: Globals): Flag[] {
  return [{ name: "mod", short: "m", set: text => (globals.mod = text) }]
}

/** The flags of `call` alone. */
export function callFlags(globals: Globals): Flag[] {
  return [
    { name: "output", short: "o", set: text => (globals.output = text) },
    { name: "json", short: "j", alone: "true", set: text => (globals.json = text !== "false") },
  ]
}

/** The OPTIONS of `call`. */
export const CALL_OPTIONS: FlagHelp[] = [
  option("json", "", "Present result as JSON", "j"),
  option(
    "mod",
    "string",
    "Path of the module to load (defaults to the one around the current directory)",
    "m",
  ),
  option("output", "string", "Save the result to a local file or directory", "o"),
]

/** The options that all commands have. */
export const COMMON_OPTIONS: FlagHelp[] = [
  option("progress", "string", 'Progress output format (auto, plain) (default "auto")'),
  option("quiet", "count", "Taken as the real CLI's; changes nothing", "q"),
  option("silent", "", "Do not show progress at all", "s"),
  option("verbose", "count", "Show the commands in containers and their output", "v"),
]

function setProgress(globals: Globals, text: string): void {
  const known = ["auto", "plain", "tty", "dots", "logs", "report"]
  if (!known.includes(text)) throw new FlagError(`unknown progress type ${JSON.stringify(text)}`)
  globals.progress = text
}

function option(name: string, word: string, text: string, short?: string): FlagHelp {
  return { name, short, word, text, required: false }
}
