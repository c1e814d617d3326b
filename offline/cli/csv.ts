/** Splits one line at its commas; a part in double quotes may hold commas, and a doubled quote in it is one (RFC 4180). */
export function splitCsv(text: string): string[] {
  if (text === "") return []
  const parts: string[] = []
  let rest = text
  for (;;) {
    const quoted = /^"((?:[^"]|"")*)"(,|$)/.exec(rest)
    const found = quoted ?? /^([^",]*)(,|$)/.exec(rest)
    if (!found)
      throw new Error(
        `parse error on line 1, column ${text.length - rest.length + 1}: bare " in non-quoted field`,
      )
    const part = found[1] ?? ""
    parts.push(quoted ? part.replaceAll('""', '"') : part)
    if (found[2] === "") return parts
    rest = rest.slice(found[0].length)
  }
}
