import type { FunctionDef } from "../session/module/types.js"
import type { Api } from "./api.js"
import { type Chain, following } from "./chain.js"
import { argumentHelp, type FlagHelp, inOrder } from "./flaghelp.js"
import { CALL_OPTIONS, COMMON_OPTIONS } from "./globals.js"
import { kebab } from "./names.js"
import { COLUMNS, flagLines, nameLine } from "./wrap.js"

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
