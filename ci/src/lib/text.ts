// C0 and C1 control characters except line feed and tab, and what changes the direction of text (Unicode TR 36, 2.1).
const unsafe =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/**
 * Makes text from elsewhere (commit subjects, tags, servers' messages, logs) safe to print: control characters and those that
 * change the direction of text become `\uXXXX`. JSON keeps its meaning. Line feeds and tabs stay. Linear in the text's length.
 */
export function printable(text: string): string {
  return text.replace(unsafe, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
}

/** A number with three significant digits, as short as possible. */
export function rounded(value: number): string {
  return String(Number(value.toPrecision(3)))
}
