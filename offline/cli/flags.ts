import { kebab } from "./names.js"

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
