import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { ensurePython } from "../../offline/machine/packages.js"
import { synthesize } from "../lib/synth.js"
import { variants } from "./variants.js"

const folder = mkdtempSync(join(tmpdir(), "lint-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let linter: string
beforeAll(async () => {
  const python = await ensurePython(join(import.meta.dirname, "requirements.txt"), () => {})
  linter = join(dirname(python), "cfn-lint")
})

/** What cfn-lint says of templates, warnings and all. */
function lint(files: string[]): string {
  const done = spawnSync(linter, ["--regions", "eu-north-1", "--format", "parseable", ...files], {
    encoding: "utf8",
  })
  return done.stdout + done.stderr
}

it("finds nothing, in any variant", () => {
  const files = Object.entries(variants).map(([name, config], index) => {
    const file = join(folder, `${index}-${name.replaceAll(/[^a-z]+/g, "-")}.json`)
    writeFileSync(file, JSON.stringify(synthesize(config), null, 1))
    return file
  })
  expect(lint(files)).toBe("")
})

it("finds a fault", () => {
  const file = join(folder, "fault.json")
  writeFileSync(
    file,
    JSON.stringify({ Resources: { A: { Type: "AWS::ECS::Cluster", Properties: { Nam: "x" } } } }),
  )
  expect(lint([file])).toContain("Nam")
})
