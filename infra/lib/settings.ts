import type { Config } from "../config.js"

/**
 * A configuration with some values changed.
 *
 * @param settings `path.to.value=VALUE`; VALUE is read as JSON, or as a string if it isn't JSON
 * @throws Error if a setting has no `=` or its path leads through something that doesn't exist
 */
export function changed(config: Config, settings: string[]): Config {
  const copy = structuredClone(config)
  for (const setting of settings) {
    const [, path, value] = /^([^=]+)=(.*)$/s.exec(setting) ?? []
    if (path === undefined || value === undefined) throw new Error(`"${setting}" is not PATH=VALUE`)
    const keys = path.split(".")
    const last = keys.pop() as string
    let at: Record<string, unknown> = copy
    for (const key of keys) {
      const next = at[key]
      if (typeof next !== "object" || next === null) throw new Error(`config.ts has no ${path}`)
      at = next as Record<string, unknown>
    }
    at[last] = parse(value)
  }
  return copy
}

function parse(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}
