import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Ajv2020 } from "ajv/dist/2020.js"
import { expect } from "vitest"
import { project } from "./release.world.js"

const schema = JSON.parse(readFileSync(join(project, "docs/schema/output.v1.json"), "utf8"))
const isValid = new Ajv2020({ allErrors: true, strict: false }).compile(schema)

/** JSON output, which has to be as its schema says. */
export function checked(output: string) {
  const parsed = JSON.parse(output)
  expect(isValid(parsed), JSON.stringify(isValid.errors)).toBe(true)
  return parsed
}
