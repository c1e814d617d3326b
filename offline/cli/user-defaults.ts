import { readFileSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import type { ArgumentDef, FunctionDef, ModuleDef, ObjectDef } from "../module/types.js"
import { type Engine, engineVersion } from "../session/engine.js"
import { isAddressed, kebab, pascal } from "./api.js"

/** A value from `.env` for an object argument, by the argument's definition: an address, or several. */
export type Addresses = Map<ArgumentDef, string | string[]>

/** A module with the values of `.env` merged into its defaults. */
export interface WithDefaults {
  module: ModuleDef
  addresses: Addresses
  /** The lines about them for standard error. */
  announcements: string[]
}

/**
 * Works the user's defaults into a module's types. They are in `.env` beside dagger.json (`ARG=` for the constructor,
 * `FN_ARG=` for a function) and in the nearest `.env` from the working directory upward, where the module's name must come first;
 * the latter wins. Lists are comma-separated, to engine v0.20.0 JSON. Throws for a value that doesn't fit or names an
 * unset variable.
 */
export function withUserDefaults(
  name: string,
  module: ModuleDef,
  moduleDir: string,
  cwd: string,
  engine: Engine = engineVersion(),
): WithDefaults {
  const under = (from: Variables, prefix: string) => {
    const found = stripPrefix(from, prefix)
    return engine === "v0.20.0" ? expandAll(found, from) : found
  }
  const inner = readVariables(join(moduleDir, ".env"))
  const outer = readVariables(findUp(cwd))
  const variables = new Map([...inner, ...under(inner, name), ...under(outer, name)])
  const context = new Map([...outer, ...variables])
  const addresses: Addresses = new Map()
  const announcements: string[] = []
  const look = (scope: Variables, arg: ArgumentDef): string | undefined => {
    const key = [...scope.keys()].reverse().find(one => one.toLowerCase() === arg.name.toLowerCase())
    if (key === undefined) return undefined
    const full = new Map([...context, ["", scope.get(key) as string]])
    return expand("", full, process.env)
  }
  const apply = (fn: FunctionDef, scope: Variables): FunctionDef => {
    const args = fn.args.map(arg => {
      const value = look(scope, arg)
      if (value === undefined) return arg
      announcements.push(
        `user default: ${name}${fn.name ? `.${fn.name}` : ""}(${arg.name}=${display(arg, value)})`,
      )
      return withDefault(name, fn, arg, value, addresses, engine)
    })
    return { ...fn, args }
  }
  const objects = module.objects.map((object): ObjectDef => {
    const isMain = object.name === pascal(name)
    const scope = isMain ? variables : under(variables, object.name)
    return {
      ...object,
      create: object.create && (isMain ? apply(object.create, scope) : object.create),
      functions: object.functions.map(fn => apply(fn, under(scope, fn.name))),
    }
  })
  return { module: { ...module, objects }, addresses, announcements }
}

function withDefault(
  module: string,
  fn: FunctionDef,
  arg: ArgumentDef,
  value: string,
  addresses: Addresses,
  engine: Engine,
): ArgumentDef {
  const { kind, element } = arg.type
  const isSplit = kind === "LIST" && engine !== "v0.20.0"
  const optional = { ...arg, type: { ...arg.type, optional: true } }
  const split = value.split(",").map(part => part.trim())
  if (isAddressed(arg.type) || (isSplit && element && isAddressed(element))) {
    addresses.set(optional, isSplit ? split : value)
    return optional
  }
  const wrong = (why: string) => new Error(`user defaults ${module}.${fn.name}(${arg.name}=...): ${why}`)
  if (kind === "STRING") return { ...arg, defaultValue: JSON.stringify(value) }
  if (isSplit) return { ...arg, defaultValue: JSON.stringify(value.split(",")) }
  if (kind === "INTEGER" && !/^[+-]?\d+$/.test(value))
    throw wrong(`parse as integer: parsing "${value}": invalid syntax`)
  try {
    return { ...arg, defaultValue: JSON.stringify(JSON.parse(value)) }
  } catch {
    throw wrong(`not valid JSON: '${value}'`)
  }
}

/** A secret's value is never shown, only its source. */
function display(arg: ArgumentDef, value: string): string {
  return arg.type.name === "Secret" && !value.includes("://") ? "*****" : JSON.stringify(value)
}

/** The variables whose names start with a prefix, as `myApp_`, `my_app_` in any case, without it. */
function stripPrefix(variables: Variables, prefix: string): Variables {
  const forms = ["", "_"].map(between => `${kebab(prefix).replaceAll("-", between)}_`)
  const found: Variables = new Map()
  for (const [name, value] of variables) {
    const form = forms.find(one => name.toLowerCase().startsWith(one))
    if (form) found.set(name.slice(form.length), value)
  }
  return found
}

/** Engine v0.20.0 expands a value each time it takes a prefix off, so once more than others: quotes go twice. */
function expandAll(found: Variables, from: Variables): Variables {
  const expanded = (value: string) => expand("", new Map([...from, ["", value]]), process.env)
  return new Map([...found].map(([key, value]) => [key, expanded(value)]))
}

function readVariables(path: string | undefined): Variables {
  return path && isFile(path) ? parseDotenv(readFileSync(path, "utf8")) : new Map()
}

function findUp(from: string): string | undefined {
  const path = join(from, ".env")
  if (isFile(path)) return path
  return from === dirname(from) ? undefined : findUp(dirname(from))
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

/** Variables of a `.env` file, not yet expanded. */
export type Variables = Map<string, string>

/** Reads the text of a `.env` file: `KEY=value` lines, `export KEY=value` too; comment lines and empty ones are left out. */
export function parseDotenv(text: string): Variables {
  const variables: Variables = new Map()
  for (const line of text.split("\n").map(one => one.trim())) {
    if (line === "" || line.startsWith("#")) continue
    const [, name, value] = /^(?:export\s+)?([^=]+?)(?:=([\s\S]*))?$/.exec(line) ?? []
    if (name) variables.set(name, value ?? "")
  }
  return variables
}

/**
 * A variable's value as a shell would give it: quotes and backslashes taken, `$X`, `${X}` and `${X:-default}` replaced from the
 * other variables, then from `environment`. A value without any of these is taken whole. Throws if one names a variable
 * that is unset or empty, or names itself.
 */
export function expand(
  name: string,
  variables: Variables,
  environment: Record<string, string | undefined>,
  seen: readonly string[] = [],
): string {
  const raw = variables.get(name) ?? ""
  if (seen.includes(name)) throw new Error(`${name}: variable refers to itself`)
  if (!/[`"'\\$]/.test(raw)) return raw
  const look = (other: string, fallback?: string): string => {
    const found = variables.has(other)
      ? expand(other, variables, environment, [...seen, name])
      : (environment[other] ?? "")
    if (found !== "") return found
    if (fallback === undefined) throw new Error(`${other}: unbound variable`)
    return fallback
  }
  return unquote(raw, look)
}

function unquote(raw: string, look: (name: string, fallback?: string) => string): string {
  const pieces =
    /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)|(\s+#[\s\S]*$)|([\s\S])/g
  return raw.replace(pieces, (_, single, double, escaped, braced, fallback, bare, comment, other) => {
    if (single !== undefined) return single
    if (double !== undefined) return inDouble(double, look)
    if (escaped !== undefined) return escaped
    if (braced !== undefined) return look(braced, fallback)
    if (bare !== undefined) return look(bare)
    return comment !== undefined ? "" : other
  })
}

function inDouble(text: string, look: (name: string, fallback?: string) => string): string {
  const pieces = /\\(["\\$`])|\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)/g
  return text.replace(
    pieces,
    (_, escaped, braced, fallback, bare) => escaped ?? look(braced ?? bare, fallback),
  )
}
