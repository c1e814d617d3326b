import picomatch from "picomatch"

/** Tells whether a path (relative, "/" between names) is meant. */
export type Matcher = (path: string) => boolean

/** Patterns are globs as in .dockerignore: no braces, no extended globs, "*" stays within a name. */
const OPTIONS = { dot: true, nobrace: true, noextglob: true, nonegate: true, nocase: false } as const

/**
 * Matches as .dockerignore does: a pattern means a path and all under it, a later pattern outweighs an earlier one, and
 * "!" before one takes paths out again.
 */
export function matcher(patterns: readonly string[]): Matcher {
  const tests = patterns.map(pattern => {
    const negated = pattern.startsWith("!")
    return { negated, test: glob(negated ? pattern.slice(1) : pattern) }
  })
  return path => {
    const paths = withParents(path)
    let matched = false
    for (const { negated, test } of tests) {
      if (matched === negated && paths.some(test)) matched = !negated
    }
    return matched
  }
}

/** Matches one glob against whole paths. */
export function glob(pattern: string): Matcher {
  const cleaned = pattern.trim().replace(/^\/+/, "").replace(/\/+$/, "")
  const test = picomatch(cleaned === "" ? "." : cleaned, OPTIONS)
  return path => test(path)
}

function withParents(path: string): string[] {
  const names = path.split("/")
  return names.map((_, index) => names.slice(0, index + 1).join("/"))
}
