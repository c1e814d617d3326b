/** Columns of the help where standard output is no terminal. */
export const COLUMNS = 79

/**
 * Flags' lines: heads (`  -j, --json`, `      --name type`) in one column, texts in another, wrapped to `columns` at spaces. Where
 * little room is left for the texts, they start on a line of their own.
 */
export function flagLines(flags: readonly { head: string; text: string }[], columns: number): string[] {
  const indent = Math.max(...flags.map(flag => flag.head.length)) + 3
  return flags.map(flag => flag.head.padEnd(indent) + wrapFlagText(flag.text, indent, columns))
}

function wrapFlagText(text: string, indent: number, columns: number): string {
  const roomy = columns - indent >= 24
  const at = roomy ? indent : 16
  const pad = `\n${" ".repeat(at)}`
  const lines: string[] = []
  for (let rest = text; rest !== "" || lines.length === 0; ) {
    const [line, left] = cut(rest, columns - at - 5)
    lines.push(line.replaceAll("\n", pad))
    rest = left
  }
  return (roomy ? "" : pad) + lines.join(pad)
}

/** Cuts a text at the last blank before `width`, which may be exceeded by five columns to keep a text's end whole. */
function cut(text: string, width: number): [string, string] {
  if (width + 5 > text.length) return [text, ""]
  const head = text.slice(0, width)
  const blank = Math.max(head.lastIndexOf(" "), head.lastIndexOf("\t"), head.lastIndexOf("\n"))
  if (blank <= 0) return [text, ""]
  const newline = head.lastIndexOf("\n")
  const place = newline > 0 && newline < blank ? newline : blank
  return [text.slice(0, place), text.slice(place + 1)]
}

/** A function's line in the help: its name, padded to `padding`, and its text, wrapped and indented under itself. */
export function nameLine(name: string, text: string, padding: number, columns: number): string {
  const head = `  ${name.padEnd(padding)}   `
  if (head.length + text.length < columns) return head + text
  const lines = wrapWords(text, columns - head.length)
  return head + lines.join(`\n${" ".repeat(head.length)}`)
}

/** Breaks a text into lines of at most `width` characters, at blanks and after hyphens. */
function wrapWords(text: string, width: number): string[] {
  const lines = [""]
  for (const part of text.split(/(?<=-)|(?=\s)/)) {
    const line = lines.at(-1) as string
    if (line !== "" && line.length + part.trimEnd().length > width) lines.push(part.trimStart())
    else lines[lines.length - 1] = line + part
  }
  return lines.map(line => line.trimEnd())
}
