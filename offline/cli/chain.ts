import type { FunctionDef } from "../session/module/types.js"
import { type Api, isRequired } from "./api.js"
import { CliError } from "./errors.js"
import { type Flag, FlagError, takeFlags } from "./flags.js"
import { kebab } from "./names.js"
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
