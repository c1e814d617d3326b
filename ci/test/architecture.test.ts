import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { expect, test } from "vitest"

const root = join(import.meta.dirname, "../..")

test("the arrows go one way (docs/architecture.md, .dependency-cruiser.mjs)", () => {
  const options = { cwd: root, encoding: "utf8" as const, env: { ...process.env, NO_COLOR: "1" } }
  expect(execFileSync("npm", ["run", "-s", "arrows"], options)).toContain("no dependency violations found")
}, 120_000)
