import type { Config } from "../config.js"
import { synthesize, type Template } from "./synth.js"

/** Types that the AWS emulator's CloudFormation refuses, and what is not tested because of that. */
export const unknownToEmulator: Record<string, string> = {
  "AWS::ApplicationAutoScaling::ScalableTarget": "the number of tasks stays the same",
  "AWS::ApplicationAutoScaling::ScalingPolicy": "nothing scales",
}

/** The same template, without the resources of types that the emulator refuses. */
export function emulatorTemplate(config: Config): { template: Template; leftOut: string[] } {
  return without(synthesize(config), Object.keys(unknownToEmulator))
}

/**
 * Leaves the resources of some types out of a template.
 *
 * @throws Error if a resource that stays needs one that is left out: then leaving it out would change more than expected
 */
export function without(template: Template, types: string[]): { template: Template; leftOut: string[] } {
  const entries = Object.entries(template.Resources)
  const leftOut = entries.filter(([, { Type }]) => types.includes(Type)).map(([id]) => id)
  const rest = entries.filter(([id]) => !leftOut.includes(id))
  const smaller = { ...template, Resources: Object.fromEntries(rest) }
  const text = JSON.stringify([smaller.Resources, smaller.Outputs])
  const needed = leftOut.filter(id => text.includes(`"${id}"`))
  if (needed.length > 0) throw new Error(`What stays in the template needs ${needed.join(", ")}`)
  return { template: smaller, leftOut }
}
