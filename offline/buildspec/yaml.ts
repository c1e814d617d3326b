import { BuildError } from "./errors.js"

/** The value as a mapping. */
export function mapping(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new BuildError(`${where} is ${value === undefined ? "missing" : "no mapping"}.`)
}

/** The value as a text: a number or a truth value is written out. */
export function text(value: unknown, where: string): string {
  if (["string", "number", "boolean"].includes(typeof value)) return String(value)
  throw new BuildError(`${where} is no text.`)
}

/** The value as a list of texts; one alone counts as a list of one. */
export function list(value: unknown, where: string): string[] {
  return (Array.isArray(value) ? value : [value]).map((one, at) => text(one, `${where}[${at}]`))
}

/** The value as a mapping of texts. */
export function texts(value: unknown, where: string): Record<string, string> {
  const entries = Object.entries(mapping(value, where))
  return Object.fromEntries(entries.map(([name, one]) => [name, text(one, `${where}.${name}`)]))
}

/** Refuses keys that CodeBuild doesn't know, and `unsupported` ones, which it knows and this runner doesn't. */
export function only(
  given: Record<string, unknown>,
  where: string,
  known: readonly string[],
  unsupported: readonly string[] = [],
): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue
    if (unsupported.includes(key)) {
      throw new BuildError(`${where}.${key} is not supported here: CodeBuild knows it, this runner does not.`)
    }
    throw new BuildError(`${where}.${key} is unknown: CodeBuild has no such key.`)
  }
}
