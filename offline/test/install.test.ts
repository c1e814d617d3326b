import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"

const project = join(import.meta.dirname, "../..")
const folder = mkdtempSync(join(tmpdir(), "install-"))

afterAll(() => rmSync(folder, { recursive: true }))

it("installs without running any package's scripts", () => {
  const evil = join(folder, "evil")
  mkdirSync(evil)
  const script = { postinstall: "echo ran > ran" }
  const dependency = { name: "evil", version: "1.0.0", scripts: script }
  const root = { name: "root", version: "1.0.0", scripts: script, dependencies: { evil: "file:evil" } }
  writeFileSync(join(evil, "package.json"), JSON.stringify(dependency))
  writeFileSync(join(folder, "package.json"), JSON.stringify(root))
  cpSync(join(project, ".npmrc"), join(folder, ".npmrc"))
  cpSync(join(project, "offline/install"), join(folder, "offline/install"))
  execFileSync("npm", ["install", "--package-lock-only", "--offline", "--ignore-scripts"], { cwd: folder })
  execFileSync(join(folder, "offline/install"), { stdio: "pipe" })
  expect(existsSync(join(folder, "node_modules/evil/package.json"))).toBe(true)
  expect([folder, evil].filter(at => existsSync(join(at, "ran")))).toEqual([])
})
