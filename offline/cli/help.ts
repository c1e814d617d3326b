import type { ArgumentDef, FunctionDef } from "../session/module/types.js"
import { type Api, isRequired, kebab } from "./api.js"
import { type Chain, following } from "./commandLine.js"
import { CALL_OPTIONS, COMMON_OPTIONS } from "./commands.js"
import { isSupported, typeWord } from "./values.js"

/** How help is laid out: how wide, and whether headings are bold. */
export interface Layout {
  columns: number
  bold: boolean
}

/** The layout for standard output as it is now. */
export function layoutOf(out: { isTTY?: boolean; columns?: number }): Layout {
  return { columns: out.isTTY && out.columns ? out.columns - 1 : COLUMNS, bold: Boolean(out.isTTY) }
}

/** The help of a chain's last function, or of `dagger call` where no function was named. */
export function chainHelp(api: Api, chain: Chain, layout: Layout): string {
  const step = chain.steps.at(-1) as Chain["steps"][number]
  const isRoot = chain.steps.length === 1
  const functions = following(api, step.fn)
  const args = argumentHelp(step.fn.args, api)
  const about = isRoot
    ? "Call one or more functions, interconnected into a pipeline"
    : (step.fn.description || "-").trimEnd()
  const usage = [
    step.command,
    isRoot ? "[options]" : "",
    args.length > 0 ? "[arguments]" : "",
    functions.length > 0 ? "<function>" : "",
  ]
  const blocks = [
    about,
    block("Usage", [`  ${usage.filter(Boolean).join(" ")}`], layout),
    functions.length > 0 && block("Functions", functionLines(functions, layout), layout),
    args.length > 0 && block("Arguments", flagLines(args, layout.columns), layout),
    isRoot && optionsBlock("Options", CALL_OPTIONS, layout),
    isRoot && optionsBlock("Inherited options", COMMON_OPTIONS, layout),
    functions.length > 0 && `Use "${step.command} [command] --help" for more information about a command.`,
  ]
  return `${blocks.filter(Boolean).join("\n\n")}\n`
}

/** A titled block of options. */
export function optionsBlock(title: string, flags: readonly FlagHelp[], layout: Layout): string {
  return block(title, flagLines(inOrder(flags), layout.columns), layout)
}

/** A heading and its lines. */
export function block(title: string, lines: readonly string[], { bold }: Layout): string {
  const heading = title.toUpperCase()
  return [bold ? `\x1b[1m${heading}\x1b[0m` : heading, ...lines].join("\n").trimEnd()
}

/** What `dagger functions` prints for an object's functions. */
export function functionList(
  functions: readonly FunctionDef[],
  skipped: readonly string[],
  layout: Layout,
): string {
  const rows = [...functions]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(fn => [kebab(fn.name), short(fn)] as const)
  const widest = Math.max(4, ...rows.map(([name]) => name.length))
  const bold = (text: string) => (layout.bold ? `\x1b[1m${text}\x1b[0m` : text)
  const head = `${bold("Name")}${" ".repeat(widest - 4)}   ${bold("Description")}\n`
  const lines = rows.map(([name, text]) => `${name.padEnd(widest)}   ${text}\n`)
  const note = `\nSkipped ${skipped.length} function(s) with unsupported types: ${skipped.join(", ")}\n`
  return head + lines.join("") + (skipped.length > 0 ? note : "")
}

function functionLines(functions: readonly FunctionDef[], { columns }: Layout): string[] {
  const named = functions.map(fn => [kebab(fn.name), short(fn)] as const).sort(([a], [b]) => (a < b ? -1 : 1))
  const padding = Math.max(11, ...named.map(([name]) => name.length))
  return named.map(([name, text]) => nameLine(name, text, padding, columns))
}

function short(fn: FunctionDef): string {
  return (fn.description ?? "").trim().split("\n")[0] || "-"
}

/** A flag as the help shows it. */
export interface FlagHelp {
  name: string
  short?: string
  word: string
  text: string
  required: boolean
}

/** The lines of ARGUMENTS: the flags that must be given first, each half by name. */
export function argumentHelp(args: readonly ArgumentDef[], api: Api): { head: string; text: string }[] {
  return inOrder(args.filter(arg => isSupported(arg.type)).map(arg => flagOf(arg, api)))
}

/** Flags in the order of the help, as heads and texts. */
export function inOrder(flags: readonly FlagHelp[]): { head: string; text: string }[] {
  const sorted = [...flags].sort(
    (a, b) => Number(b.required) - Number(a.required) || (a.name < b.name ? -1 : 1),
  )
  return sorted.map(({ short, name, word, text }) => ({
    head: `  ${short ? `-${short}, ` : "    "}--${name}${word ? ` ${word}` : ""}`,
    text,
  }))
}

function flagOf(arg: ArgumentDef, api: Api): FlagHelp {
  const described = (arg.description ?? "").trim()
  const quoted = /`([^`]*)`/.exec(described)
  const text = quoted ? described.replace(quoted[0], quoted[1] as string) : described
  const required = isRequired(arg)
  return {
    name: kebab(arg.name),
    word: quoted ? (quoted[1] as string) : typeWord(arg.type, api),
    text: required ? `${text} [required]`.trim() : text + defaultText(arg, api),
    required,
  }
}

/** ` (default x)`, or nothing where the default is the type's zero value. */
function defaultText(arg: ArgumentDef, api: Api): string {
  const value = arg.defaultValue ? (JSON.parse(arg.defaultValue) as unknown) : undefined
  const { kind, name, element } = arg.type
  if (kind === "LIST") {
    const items = Array.isArray(value) ? value : []
    const silent = element?.kind === "STRING" || element?.kind === "INTEGER"
    return silent && items.length === 0 ? "" : ` (default [${items.join(",")}])`
  }
  if (value === undefined || value === null || value === "" || value === 0 || value === false) return ""
  if (kind === "STRING") return ` (default ${JSON.stringify(value)})`
  if (kind === "ENUM") return ` (default ${api.enumShown(name as string, String(value))})`
  return ` (default ${String(value)})`
}

/** Columns of the help where standard output is no terminal. */
export const COLUMNS = 79

/**
 * Flags' lines: heads (`  -j, --json`, `      --name type`) in one column, texts in another, wrapped to `columns` at spaces. Where
 * little room is left for the texts, they start on a line of their own.
 */
export function flagLines(flags: readonly { head: string; text: string }[], columns: number): string[] {
  const indent = Math.max(...flags.map(flag => flag.head.length)) + 3
  return flags.map(flag => flag.head.padEnd(indent) + wrapFlagText(flag.text, indent, columns))
}

function wrapFlagText(text: string, indent: number, columns: number): string {
  const roomy = columns - indent >= 24
  const at = roomy ? indent : 16
  const pad = `\n${" ".repeat(at)}`
  const lines: string[] = []
  for (let rest = text; rest !== "" || lines.length === 0; ) {
    const [line, left] = cut(rest, columns - at - 5)
    lines.push(line.replaceAll("\n", pad))
    rest = left
  }
  return (roomy ? "" : pad) + lines.join(pad)
}

/** Cuts a text at the last blank before `width`, which may be exceeded by five columns to keep a text's end whole. */
function cut(text: string, width: number): [string, string] {
  if (width + 5 > text.length) return [text, ""]
  const head = text.slice(0, width)
  const blank = Math.max(head.lastIndexOf(" "), head.lastIndexOf("\t"), head.lastIndexOf("\n"))
  if (blank <= 0) return [text, ""]
  const newline = head.lastIndexOf("\n")
  const place = newline > 0 && newline < blank ? newline : blank
  return [text.slice(0, place), text.slice(place + 1)]
}

/** A function's line in the help: its name, padded to `padding`, and its text, wrapped and indented under itself. */
export function nameLine(name: string, text: string, padding: number, columns: number): string {
  const head = `  ${name.padEnd(padding)}   `
  if (head.length + text.length < columns) return head + text
  const lines = wrapWords(text, columns - head.length)
  return head + lines.join(`\n${" ".repeat(head.length)}`)
}

/** Breaks a text into lines of at most `width` characters, at blanks and after hyphens. */
function wrapWords(text: string, width: number): string[] {
  const lines = [""]
  for (const part of text.split(/(?<=-)|(?=\s)/)) {
    const line = lines.at(-1) as string
    if (line !== "" && line.length + part.trimEnd().length > width) lines.push(part.trimStart())
    else lines[lines.length - 1] = line + part
  }
  return lines.map(line => line.trimEnd())
}
