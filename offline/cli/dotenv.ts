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
 * other variables, then from `environment`. A value without any of these is taken whole. Throws where one names a variable
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
