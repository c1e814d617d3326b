import type { Template } from "../lib/synth.js"

// biome-ignore lint/suspicious/noExplicitAny: a template's properties have as many shapes as CloudFormation has types
type Properties = any

/** The properties of the template's resources of a type, by logical id. */
export function all({ Resources }: Template, type: string): Record<string, Properties> {
  const found = Object.entries(Resources).filter(([, { Type }]) => Type === type)
  return Object.fromEntries(found.map(([id, { Properties }]) => [id, Properties]))
}

/** The properties of the only one, or of the only one that has these. */
export function only(template: Template, type: string, having: Properties = {}): Properties {
  const found = Object.values(all(template, type)).filter(it =>
    Object.entries(having).every(([key, value]) => it[key] === value),
  )
  if (found.length !== 1) throw new Error(`${found.length} of ${type} ${JSON.stringify(having)}`)
  return found[0]
}
