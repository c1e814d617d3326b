import { COMMON_OPTIONS } from "./globals.js"
import { block, type Layout, optionsBlock } from "./help.js"
import { nameLine } from "./wrap.js"

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
