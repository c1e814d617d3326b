/** The parts of a setting that takes several, such as `web,worker`, trimmed. */
export function partsOf(text: string): string[] {
  return text
    .split(",")
    .map(part => part.trim())
    .filter(part => part !== "")
}

/** The same, each once. */
export function namesIn(text: string): string[] {
  return [...new Set(partsOf(text))]
}
