import { type Flag, FlagError } from "./command-line.js"

/** The values of the flags that all commands share. */
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

/** The flags that only come before the command. */
export function ownFlags(globals: Globals): Flag[] {
  const set = (text: string) => {
    if (text !== "real" && text !== "stand-in") throw new Error("it must be stand-in or real")
    globals.engine = text
  }
  const text = "Engine to run the call on: this stand-in, or the dagger on PATH against the same sandbox"
  return [{ name: "engine", word: "stand-in|real", text, set }]
}

/** The flags that every command takes; each is written into `globals`. Real CLI flags that mean nothing here are ignored. */
export function globalFlags(globals: Globals): Flag[] {
  const idle = { alone: "true", set: () => {} }
  return [
    {
      ...{ name: "silent", short: "s", alone: "true", text: "Do not show progress at all" },
      set: text => (globals.silent = text !== "false"),
    },
    {
      ...{
        name: "verbose",
        short: "v",
        alone: "+1",
        text: "Show the commands in containers and their output",
      },
      set: () => (globals.verbose = true),
    },
    {
      ...{ name: "workdir", word: "string", text: "Run as if started in this folder" },
      set: text => (globals.workdir = text),
    },
    { name: "progress", set: checkProgress },
    { name: "quiet", short: "q", ...idle },
    { name: "debug", short: "d", ...idle },
    { name: "interactive", short: "i", ...idle },
    { name: "web", short: "w", ...idle },
    { name: "no-exit", short: "E", ...idle },
    { name: "auto-apply", short: "y", ...idle },
    { name: "interactive-command", set: idle.set },
    { name: "lock", set: idle.set },
  ]
}

/** The flags of the commands that load a module. */
export function moduleFlags(globals: Globals): Flag[] {
  const text = "Path of the module to load (defaults to the one around the current directory)"
  return [{ name: "mod", short: "m", word: "string", text, set: path => (globals.mod = path) }]
}

/** The flags of `call` alone. */
export function callFlags(globals: Globals): Flag[] {
  const text = "Save the result to a local file or directory"
  return [
    { name: "output", short: "o", word: "string", text, set: path => (globals.output = path) },
    {
      ...{ name: "json", short: "j", alone: "true", text: "Present result as JSON" },
      set: text => (globals.json = text !== "false"),
    },
  ]
}

function checkProgress(text: string): void {
  const known = ["auto", "plain", "tty", "dots", "logs", "report"]
  if (!known.includes(text)) throw new FlagError(`unknown progress type ${JSON.stringify(text)}`)
}

/**
 * Which module is meant, and whether to be silent, must be known before the module's functions are: these flags are taken
 * wherever they are.
 */
export function takeEarly(words: readonly string[], globals: Globals): void {
  for (const [at, word] of words.entries()) {
    const [, value] = /^(?:--mod|-m)=(.*)$/.exec(word) ?? []
    if (value !== undefined) globals.mod = value
    else if (word === "--mod" || word === "-m") globals.mod = words[at + 1]
    if (word === "-s" || word === "--silent") globals.silent = true
  }
}

export { COMMANDS, SANDBOX } from "./command-names.mjs"

/** What follows the options of each command except `call`. */
export const WORDS: Record<string, string> = {
  check: " [check]...",
  functions: " [function]...",
  run: " <command>...",
  logs: " [emulator | git | docker]",
}
