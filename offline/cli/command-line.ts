import { parseArgs } from "node:util"
import type { FunctionDef } from "../module/types.js"
import { type Api, isRequired, isSupported, kebab } from "./api.js"
import { CliError } from "./errors.js"
import { parseValue } from "./values.js"

/** A flag of one command. `set` takes each value given, as text, and throws if it is wrong. */
export interface Flag {
  name: string
  short?: string
  /** The flag's value if none is given; a flag without this takes the next word as its value. */
  alone?: string
  /** What the help says about it; without this it isn't shown. */
  text?: string
  /** The help's word for its value. */
  word?: string
  set(value: string): void
}

/** A mistake in the command line. */
export class FlagError extends CliError {}

/**
 * Takes the flags at the front of `words` until the first word that isn't one, as the real CLI does: `--name=v`, `--name v`,
 * `-n v`, `-nv`, several short ones in one word; `--` ends them. A long flag may be written as in code (`--dryRun`).
 * Returns the words left. Throws FlagError.
 */
export function takeFlags(words: readonly string[], flags: readonly Flag[]): string[] {
  const named = (name: string) => flags.find(flag => flag.name === kebab(name))
  const type = (flag: Flag) => (flag.alone === undefined ? "string" : "boolean")
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {}
  for (const flag of flags) {
    options[flag.name] = { type: type(flag), ...(flag.short && { short: flag.short }) }
  }
  for (const [, written = ""] of words.map(word => /^--([^=]+)/.exec(word) ?? [])) {
    const flag = named(written)
    if (flag) options[written] ??= { type: type(flag) }
  }
  const { tokens } = parseArgs({ args: [...words], options, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind === "positional") return words.slice(token.index)
    if (token.kind === "option-terminator") return words.slice(token.index + 1)
    const isLong = token.rawName.startsWith("--")
    const flag = named(token.name)
    const written = isLong ? token.rawName : `'${token.rawName.slice(1)}' in ${words[token.index]}`
    if (!flag) throw new FlagError(`unknown ${isLong ? "flag" : "shorthand flag"}: ${written}`)
    const value = (isLong ? token.value : token.value?.replace(/^=/, "")) ?? flag.alone
    if (value === undefined) throw new FlagError(`flag needs an argument: ${written}`)
    try {
      flag.set(value)
    } catch (error) {
      const shown = flag.short ? `-${flag.short}, --${flag.name}` : `--${flag.name}`
      const why = (error as Error).message
      throw new FlagError(`invalid argument ${JSON.stringify(value)} for "${shown}" flag: ${why}`)
    }
  }
  return []
}

/** Takes flags anywhere among the words; returns the other words. */
export function takeFlagsAnywhere(words: readonly string[], flags: readonly Flag[]): string[] {
  const [name, ...rest] = takeFlags(words, flags)
  return name === undefined ? [] : [name, ...takeFlagsAnywhere(rest, flags)]
}

/** One function of a chain, with the given values by argument name. */
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
  /** What went wrong after the last step if help was asked for: shown with that step's help. */
  error?: CliError
}

/**
 * Reads a chain of functions, each with its own flags after its name; `globals` are taken anywhere. What can follow a function is
 * what its result has. Throws CliError with the command whose help to read.
 */
export function parseChain(api: Api, words: readonly string[], globals: readonly Flag[]): Chain {
  const isHelp = (word: string) => word === "--help" || word === "-h"
  const chain: Chain = { steps: [], help: words.some(isHelp) }
  let rest = words.filter(word => !isHelp(word))
  let command = "dagger call"
  try {
    for (let fn: FunctionDef | undefined = api.create; ; ) {
      const step: Step = { fn, given: new Map(), command }
      chain.steps.push(step)
      rest = takeFlags(rest, [...argumentFlags(api, step), ...globals])
      if (!chain.help) requireFlags(step)
      const [name, ...others] = rest
      if (name === undefined) return chain
      fn = api.following(fn).find(one => kebab(one.name) === name)
      if (!fn) throw new FlagError(`unknown command ${JSON.stringify(name)} for "${command}"`)
      rest = others
      command += ` ${name}`
    }
  } catch (error) {
    if (!(error instanceof FlagError)) throw error
    const failure = new CliError(error.message, { usage: command })
    if (chain.help) return { ...chain, error: failure }
    throw failure
  }
}

/** The flags of a step's arguments, which write what is given into the step. */
export function argumentFlags(api: Api, { fn, given }: Step): Flag[] {
  return fn.args
    .filter(arg => isSupported(arg.type))
    .map(arg => ({
      name: kebab(arg.name),
      alone: arg.type.kind === "BOOLEAN" ? "true" : undefined,
      set: text => {
        const value = parseValue(arg.type, text, api)
        const before = given.get(arg.name)
        const isMore = Array.isArray(value) && Array.isArray(before)
        given.set(arg.name, isMore ? [...before, ...value] : value)
      },
    }))
}

function requireFlags({ fn, given }: Step): void {
  const missing = fn.args.filter(arg => isRequired(arg) && isSupported(arg.type) && !given.has(arg.name))
  if (missing.length === 0) return
  const names = missing.map(arg => `"${kebab(arg.name)}"`).sort()
  throw new FlagError(`required flag(s) ${names.join(", ")} not set`)
}
