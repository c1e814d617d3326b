import type { ArgumentDef, FunctionDef, TypeRef } from "../module/types.js"
import { type Api, isRequired, isSupported, kebab } from "./api.js"
import type { Chain, Flag } from "./command-line.js"
import {
  COMMANDS,
  callFlags,
  defaultGlobals,
  globalFlags,
  moduleFlags,
  ownFlags,
  SANDBOX,
  WORDS,
} from "./commands.js"

/** The flags, to show them: nothing is set. */
const globals = defaultGlobals()
const COMMON = globalFlags(globals)

/** The help of `dagger` itself. */
export function rootHelp(): string {
  const list = (commands: typeof COMMANDS) =>
    table(Object.entries(commands).map(([name, text]) => [`  ${name}`, text]))
  return page([
    "Runs Dagger functions without an engine: on Docker, against a sandbox of AWS and git",
    "USAGE\n  dagger [options] [subcommand]",
    `DAGGER COMMANDS\n${list(COMMANDS)}`,
    `SANDBOX COMMANDS\n${list(SANDBOX)}`,
    `OPTIONS\n${flagTable([...ownFlags(globals), ...COMMON])}`,
    'Use "dagger [command] --help" for more information about a command.',
  ])
}

/** The help of a command other than `call`. */
export function commandHelp(name: string): string {
  return page([
    COMMANDS[name] ?? SANDBOX[name] ?? "",
    `USAGE\n  dagger ${name} [options]${WORDS[name] ?? ""}`,
    `INHERITED OPTIONS\n${flagTable(COMMON)}`,
  ])
}

/** The help of a chain's last function, or of `dagger call` if no function was named. */
export function chainHelp(api: Api, chain: Chain): string {
  const { fn, command } = chain.steps.at(-1) as Chain["steps"][number]
  const isRoot = chain.steps.length === 1
  const functions = api.following(fn)
  const args = fn.args.filter(arg => isSupported(arg.type))
  const required = args.filter(isRequired).map(arg => argumentHelp(arg, api))
  const others = args.filter(arg => !isRequired(arg)).map(arg => argumentHelp(arg, api))
  const usage = [
    command,
    isRoot && "[options]",
    args.length > 0 && "[arguments]",
    functions.length > 0 && "<function>",
  ]
  return page([
    isRoot ? (COMMANDS.call ?? "") : (fn.description || "-").trimEnd(),
    `USAGE\n  ${usage.filter(Boolean).join(" ")}`,
    functions.length > 0 && `FUNCTIONS\n${table(functionRows(functions, "  "))}`,
    args.length > 0 && `ARGUMENTS\n${flagTable(required, others)}`,
    isRoot && `OPTIONS\n${flagTable([...callFlags(globals), ...moduleFlags(globals)])}`,
    isRoot && `INHERITED OPTIONS\n${flagTable(COMMON)}`,
    functions.length > 0 && `Use "${command} [command] --help" for more information about a command.`,
  ])
}

/** What `dagger functions` prints. */
export function functionList(functions: readonly FunctionDef[]): string {
  return `${table([["Name", "Description"], ...functionRows(functions)])}\n`
}

function page(blocks: (string | false)[]): string {
  return `${blocks.filter(Boolean).join("\n\n")}\n`
}

type Row = [head: string, text: string]

/** Rows in two columns. */
function table(rows: Row[]): string {
  const indent = Math.max(...rows.map(([head]) => head.length)) + 3
  return rows.map(([head, text]) => (head.padEnd(indent) + text).trimEnd()).join("\n")
}

function functionRows(functions: readonly FunctionDef[], margin = ""): Row[] {
  const rows = functions.map(
    (fn): Row => [margin + kebab(fn.name), (fn.description ?? "").trim().split("\n")[0] || "-"],
  )
  return rows.sort(([a], [b]) => (a < b ? -1 : 1))
}

type FlagHelp = Pick<Flag, "name" | "short" | "word" | "text">

/** The flags that have a text, each group by name. */
function flagTable(...groups: FlagHelp[][]): string {
  const rows = groups.flatMap(flags =>
    flags
      .filter(({ text }) => text !== undefined)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ short, name, word, text = "" }): Row => {
        return [`  ${short ? `-${short}, ` : "    "}--${name}${word ? ` ${word}` : ""}`, text]
      }),
  )
  return table(rows)
}

function argumentHelp(arg: ArgumentDef, api: Api): FlagHelp {
  const { description = "", defaultValue = "null" } = arg
  const isEmpty = ["null", "false", "0", '""', "[]"].includes(defaultValue)
  const end = isRequired(arg) ? "[required]" : isEmpty ? "" : `(default ${defaultValue})`
  return {
    name: kebab(arg.name),
    word: typeWord(arg.type, api),
    text: [description.trim().replaceAll("\n", " "), end].filter(Boolean).join(" "),
  }
}

/** The word for a flag's value; "" for a switch. */
function typeWord({ kind, name, element }: TypeRef, api: Api): string {
  const words: Record<string, string> = { STRING: "string", INTEGER: "int", FLOAT: "float", BOOLEAN: "" }
  if (kind === "ENUM") return api.enumNames(name as string).join(",")
  if (kind !== "LIST") return words[kind] ?? name ?? "string"
  const word = element?.kind === "BOOLEAN" ? "bool" : typeWord(element as TypeRef, api)
  return element?.kind && element.kind in words ? `${word}s` : `[]${word}`
}
