import type { ArgumentDef } from "../session/module/types.js"
import { type Api, isRequired } from "./api.js"
import { kebab } from "./names.js"
import { isSupported, typeWord } from "./values.js"

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
