import type { FunctionDef } from "../session/module/types.js"
import { type Api, isRequired, kebab } from "./api.js"
import { CliError } from "./errors.js"
import { isSupported, parseValue } from "./values.js"

/** One function of a chain with what was given to it, by the arguments' names. */
export interface Step {
  fn: FunctionDef
  given: Map<string, unknown>
  /** The command as far as here, for messages. */
  command: string
}

/** A parsed command line: the constructor first, then each function. */
export interface Chain {
  steps: Step[]
  help: boolean
  /** What went wrong after the last step, where help was asked for: shown with that step's help. */
  error?: CliError
}

/**
 * Reads a chain of functions, each with its own flags after its name; `globals` are taken anywhere. What can follow a function is
 * what its result has. Throws CliError with the command whose help shows the way out.
 */
export function parseChain(
  api: Api,
  create: FunctionDef,
  words: readonly string[],
  globals: readonly Flag[],
): Chain {
  const help = words.includes("--help") || words.includes("-h")
  let rest = words.filter(word => word !== "--help" && word !== "-h")
  const steps: Step[] = []
  let fn: FunctionDef | undefined = create
  let command = "dagger call"
  while (fn) {
    const step: Step = { fn, given: new Map(), command }
    steps.push(step)
    try {
      rest = takeFlags(rest, [...argumentFlags(api, step), ...globals])
      if (!help) requireFlags(step)
    } catch (error) {
      if (!(error instanceof FlagError)) throw error
      const failure = new CliError(error.message, { usage: command })
      if (help) return { steps, help, error: failure }
      throw failure
    }
    const name = rest[0]
    if (name === undefined) return { steps, help }
    fn = nextFunction(api, fn, name)
    if (!fn) break
    rest = rest.slice(1)
    command += ` ${name}`
  }
  const error = new CliError(`unknown command ${JSON.stringify(rest[0])} for "${command}"`, {
    usage: command,
  })
  if (help) return { steps, help, error }
  throw error
}

/** The functions that can follow one, by its result. */
export function following(api: Api, fn: FunctionDef): FunctionDef[] {
  const type = fn.returns.kind === "LIST" ? fn.returns.element : fn.returns
  const object = type?.kind === "OBJECT" ? api.object(type.name) : undefined
  return object ? api.functions(object).supported : []
}

function nextFunction(api: Api, fn: FunctionDef, name: string): FunctionDef | undefined {
  return following(api, fn).find(one => kebab(one.name) === name)
}

function argumentFlags(api: Api, step: Step): Flag[] {
  return step.fn.args
    .filter(arg => isSupported(arg.type))
    .map(arg => ({
      name: kebab(arg.name),
      alone: arg.type.kind === "BOOLEAN" ? "true" : undefined,
      set: text => {
        const value = parseValue(arg.type, text, api)
        const before = step.given.get(arg.name)
        step.given.set(
          arg.name,
          Array.isArray(value) && Array.isArray(before) ? [...before, ...value] : value,
        )
      },
    }))
}

function requireFlags(step: Step): void {
  const missing = step.fn.args.filter(
    arg => isRequired(arg) && isSupported(arg.type) && !step.given.has(arg.name),
  )
  if (missing.length === 0) return
  const names = missing.map(arg => `"${kebab(arg.name)}"`).sort()
  throw new FlagError(`required flag(s) ${names.join(", ")} not set`)
}

/** A flag of one command. `set` takes each value given, as text, and throws where it can't be. */
export interface Flag {
  name: string
  short?: string
  /** What the flag means without a value; a flag without this takes the next word. */
  alone?: string
  set(value: string): void
}

/** A mistake in the command line. */
export class FlagError extends Error {}

/**
 * Takes the flags at the front of `words` until the first word that is none, as the real CLI does: `--name=v`, `--name v`,
 * `-n v`, `-nv`, several short ones in one word; `--` ends them. A long flag may be written as in code (`--dryRun`).
 * Returns the words left. Throws FlagError.
 */
export function takeFlags(words: readonly string[], flags: readonly Flag[]): string[] {
  const rest = [...words]
  while (rest.length > 0) {
    const word = rest[0] as string
    if (word === "--") return rest.slice(1)
    if (!word.startsWith("-") || word === "-") return rest
    rest.shift()
    if (word.startsWith("--")) takeLong(word, rest, flags)
    else takeShort(word, rest, flags)
  }
  return rest
}

function takeLong(word: string, rest: string[], flags: readonly Flag[]): void {
  const [, written = "", , value] = /^--([^=]*)(=([\s\S]*))?$/.exec(word) ?? []
  const name = kebab(written)
  const flag = flags.find(one => one.name === name)
  if (!flag) throw new FlagError(`unknown flag: --${written}`)
  apply(flag, value ?? flag.alone ?? rest.shift(), `--${name}`)
}

function takeShort(word: string, rest: string[], flags: readonly Flag[]): void {
  for (let letters = word.slice(1); letters !== ""; letters = letters.slice(1)) {
    const letter = letters.charAt(0)
    const flag = flags.find(one => one.short === letter)
    if (!flag) throw new FlagError(`unknown shorthand flag: '${letter}' in ${word}`)
    const attached = letters.slice(1)
    const given = attached.startsWith("=") ? attached.slice(1) : undefined
    if (given === undefined && flag.alone !== undefined) {
      apply(flag, flag.alone, `-${letter}`)
      continue
    }
    apply(flag, given ?? (attached || rest.shift()), `-${letter}`)
    return
  }
}

function apply(flag: Flag, value: string | undefined, written: string): void {
  if (value === undefined) {
    const hint = flag.short && !written.startsWith("--") ? `'${flag.short}' in ${written}` : written
    throw new FlagError(`flag needs an argument: ${hint}`)
  }
  try {
    flag.set(value)
  } catch (error) {
    const shown = flag.short ? `-${flag.short}, --${flag.name}` : `--${flag.name}`
    throw new FlagError(
      `invalid argument ${JSON.stringify(value)} for "${shown}" flag: ${(error as Error).message}`,
    )
  }
}
