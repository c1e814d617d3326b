/** The parts of a comma-separated setting, such as `web,worker`, trimmed. */
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

/** Does something to each of a list, a few at a time: more at once would be throttled. */
export async function inBatches<T, R>(all: T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const done: R[] = []
  for (let at = 0; at < all.length; at += 5)
    done.push(...(await Promise.all(all.slice(at, at + 5).map(work))))
  return done
}
