import { type Flag, FlagError } from "./commandLine.js"

/** What the flags common to all commands say. */
export interface Globals {
  silent: boolean
  verbose: boolean
  workdir?: string
  /** A module's folder, or the dagger.json in it. */
  mod?: string
  output?: string
  json: boolean
  engine: "stand-in" | "real"
}

/** The common flags' values before any was given. */
export function defaultGlobals(): Globals {
  const silent = ["1", "t", "true"].includes((process.env.DAGGER_SILENT ?? "").toLowerCase())
  return { silent, verbose: false, json: false, engine: "stand-in" }
}

/** A flag as the help shows it. */
export interface FlagHelp {
  name: string
  short?: string
  /** The word for its value; none for a switch. */
  word?: string
  text: string
}

/** The options that stand before the command alone. */
export const OWN_OPTIONS: FlagHelp[] = [
  {
    name: "engine",
    word: "stand-in|real",
    text: "Who runs the call: this stand-in, or the dagger on PATH against the same sandbox",
  },
]

/** The options that all commands have. */
export const COMMON_OPTIONS: FlagHelp[] = [
  { name: "silent", short: "s", text: "Do not show progress at all" },
  { name: "verbose", short: "v", text: "Show the commands in containers and their output" },
  { name: "workdir", word: "string", text: "Run as if started in this folder" },
]

/** The options of `call` alone. */
export const CALL_OPTIONS: FlagHelp[] = [
  { name: "json", short: "j", text: "Present result as JSON" },
  {
    name: "mod",
    short: "m",
    word: "string",
    text: "Path of the module to load (defaults to the one around the current directory)",
  },
  { name: "output", short: "o", word: "string", text: "Save the result to a local file or directory" },
]

/** The flag that stands before the command alone. */
export function ownFlags(globals: Globals): Flag[] {
  const setEngine = (text: string) => {
    if (text !== "real" && text !== "stand-in") throw new Error("it is stand-in or real")
    globals.engine = text
  }
  return [{ name: "engine", set: setEngine }]
}

/** The flags that every command takes; each is written into `globals`. Those of the real CLI that mean nothing here are let pass. */
export function globalFlags(globals: Globals): Flag[] {
  const set = () => {}
  const idle = ["debug", "interactive", "web", "no-exit", "auto-apply"]
  const letters: Record<string, string> = { "no-exit": "E", "auto-apply": "y" }
  return [
    { name: "silent", short: "s", alone: "true", set: text => (globals.silent = text !== "false") },
    { name: "verbose", short: "v", alone: "+1", set: () => (globals.verbose = true) },
    { name: "workdir", set: text => (globals.workdir = text) },
    { name: "progress", set: checkProgress },
    { name: "quiet", short: "q", alone: "+1", set },
    ...idle.map(name => ({ name, short: letters[name] ?? name.charAt(0), alone: "true", set })),
    { name: "interactive-command", set },
    { name: "lock", set },
  ]
}

/** The flags of the commands that load a module. */
export function moduleFlags(globals: Globals): Flag[] {
  return [{ name: "mod", short: "m", set: text => (globals.mod = text) }]
}

/**
 * Which module is meant, and whether to be silent, must be known before the module's functions are: these flags are taken
 * wherever they stand.
 */
export function takeEarly(words: readonly string[], globals: Globals): void {
  for (const [at, word] of words.entries()) {
    const [, value] = /^(?:--mod|-m)=(.*)$/.exec(word) ?? []
    if (value !== undefined) globals.mod = value
    else if (word === "--mod" || word === "-m") globals.mod = words[at + 1]
    if (word === "-s" || word === "--silent") globals.silent = true
  }
}

/** The flags of `call` alone. */
export function callFlags(globals: Globals): Flag[] {
  return [
    { name: "output", short: "o", set: text => (globals.output = text) },
    { name: "json", short: "j", alone: "true", set: text => (globals.json = text !== "false") },
  ]
}

function checkProgress(text: string): void {
  const known = ["auto", "plain", "tty", "dots", "logs", "report"]
  if (!known.includes(text)) throw new FlagError(`unknown progress type ${JSON.stringify(text)}`)
}

/** The commands of the real CLI that there are here, by name. */
export const COMMANDS: Record<string, { text: string; usage: string }> = {
  call: {
    text: "Call one or more functions, interconnected into a pipeline",
    usage: "dagger call [options] [arguments] <function>",
  },
  functions: { text: "List available functions", usage: "dagger functions [options] [function]..." },
  run: { text: "Run a command in a session of the Dagger API", usage: "dagger run [options] <command>..." },
  version: { text: "Print the version", usage: "dagger version" },
}

/** The commands of the sandbox, by name. */
export const SANDBOX: typeof COMMANDS = {
  up: {
    text: "Bring up the sandbox (AWS emulator, git remote) and print how a real engine uses it",
    usage: "dagger up [options]",
  },
  down: {
    text: "End what runs for this checkout; nothing is forgotten",
    usage: "dagger down [options]",
  },
  reset: { text: "End what runs for this checkout and forget all of it", usage: "dagger reset [options]" },
  logs: {
    text: "Show the sandbox's logs, or one: emulator, git, docker",
    usage: "dagger logs [emulator | git | docker]",
  },
}
