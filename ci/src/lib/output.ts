import { UserError } from "./errors.js"
import { printable } from "./text.js"

/** Name and version of the JSON output's schema (docs/schema/output.v1.json). Fields may be added, but none is changed or removed. */
export const outputSchema = "ecs-release/v1"

/** What a result is printed as: `text` is for a person, `json` for a program. */
export type Format = "text" | "json"

/**
 * Reads the argument `--format`.
 *
 * @param takes what the function accepts, for the error
 * @throws UserError if it is neither text nor json
 */
export function parseFormat(text: string, takes = "text or json"): Format {
  if (text === "text" || text === "json") return text
  throw new UserError(
    `--format does not accept ${JSON.stringify(text.slice(0, 100))}.`,
    "",
    `It must be ${takes}.`,
  )
}

/** A result, with its text for a person. */
type Result = { text: string; [field: string]: unknown }

/**
 * Writes a result: its text, or everything else in it as JSON, with its kind and the schema's name.
 *
 * @param kind the function whose result it is
 */
export function write(format: Format, kind: string, { text, ...result }: Result): string {
  if (format === "text") return printable(`${text.trimEnd()}\n`)
  return printable(`${JSON.stringify({ schema: outputSchema, kind, ...result }, null, 2)}\n`)
}

/** Writes the results of several apps, each under its name; a single result without a name is written as it is. */
export function writeApps<T>(
  format: Format,
  kind: string,
  found: [name: string, result: T][],
  shape: (result: T) => Result,
): string {
  const [first] = found
  if (first && first[0] === "") return write(format, kind, shape(first[1]))
  const all = found.map(([app, result]) => ({ app, ...shape(result) }))
  const text = all.map(({ app, text }) => `${app}\n${text.trimEnd()}`).join("\n\n")
  return write(format, kind, { apps: all.map(({ text, ...result }) => result), text })
}
