import { type Flag, FlagError } from "./commandLine.js"
import { block, type FlagHelp, type Layout, nameLine, optionsBlock } from "./help.js"

const COMMANDS: [name: string, text: string][] = [
  ["call", "Call one or more functions, interconnected into a pipeline"],
  ["functions", "List available functions"],
  ["run", "Run a command in a session of the Dagger API"],
  ["version", "Print the version"],
]
const SANDBOX: [name: string, text: string][] = [
  ["up", "Bring up the sandbox (AWS emulator, git remote) and print how a real engine uses it"],
  ["down", "End what runs for this checkout; nothing is forgotten"],
  ["reset", "End what runs for this checkout and forget all of it"],
  ["logs", "Show the sandbox's logs, or one: emulator, git, docker"],
]

/** Usage and arguments of each command but `call`, which has help of its own. */
const USAGE: Record<string, string> = {
  functions: "dagger functions [options] [function]...",
  run: "dagger run [options] <command>...",
  version: "dagger version",
  up: "dagger up [options]",
  down: "dagger down [options]",
  reset: "dagger reset [options]",
  logs: "dagger logs [emulator | git | docker]",
}

/** The help of `dagger` itself. */
export function rootHelp(layout: Layout): string {
  const lines = (list: typeof COMMANDS) =>
    list.map(([name, text]) => nameLine(name, text, 11, layout.columns))
  const blocks = [
    "Runs Dagger functions without an engine: on Docker, against a sandbox of AWS and git",
    block("Usage", ["  dagger [options] [subcommand]"], layout),
    block("Dagger commands", lines(COMMANDS), layout),
    block("Sandbox commands", lines(SANDBOX), layout),
    optionsBlock("Options", COMMON_OPTIONS, layout),
    'Use "dagger [command] --help" for more information about a command.',
  ]
  return `${blocks.join("\n\n")}\n`
}

/** The help of a command other than `call`. */
export function commandHelp(name: string, layout: Layout): string {
  const [, text = ""] = [...COMMANDS, ...SANDBOX].find(([command]) => command === name) ?? []
  const usage = block("Usage", [`  ${USAGE[name] ?? `dagger ${name}`}`], layout)
  return `${[text, usage, optionsBlock("Inherited options", COMMON_OPTIONS, layout)].join("\n\n")}\n`
}

/** True for a command that there is. */
export function isCommand(name: string): boolean {
  return [...COMMANDS, ...SANDBOX].some(([command]) => command === name)
}

/** Commands that start alike, for whoever mistyped one. */
export function suggestions(name: string): string {
  const near = [...COMMANDS, ...SANDBOX].map(([command]) => command).filter(command => isNear(command, name))
  return near.length > 0 ? `\n\nDid you mean this?\n${near.map(command => `\t${command}\n`).join("")}` : ""
}

function isNear(command: string, typed: string): boolean {
  return command.startsWith(typed.toLowerCase()) || distance(command, typed.toLowerCase()) <= 2
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

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
