import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"

const root = join(import.meta.dirname, "../..")

test("the arrows go one way (docs/architecture.md, .dependency-cruiser.mjs)", () => {
  const options = { cwd: root, encoding: "utf8" as const, env: { ...process.env, NO_COLOR: "1" } }
  expect(execFileSync("npm", ["run", "-s", "arrows"], options)).toContain("no dependency violations found")
})

// The rule above sees no import whose name is an expression, as those of the clients are (aws/clients.ts).
test("the AWS SDK is named in ci/src/aws alone", () => {
  const src = join(root, "ci/src")
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter(it => it.endsWith(".ts"))
  const naming = files.filter(it => readFileSync(join(src, it), "utf8").includes("@aws-sdk/"))
  expect(naming.sort()).toEqual(["aws/clients.ts", "aws/types.ts"])
})
