import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { afterAll, expect, test } from "vitest"

const project = join(import.meta.dirname, "../..")
const folder = mkdtempSync(join(tmpdir(), "node-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** npm's package `node` holds the program; an install script of it puts it in its place, which this project's settings forbid. */
function nodeOf(version: number): string {
  const prefix = join(folder, `${version}`)
  const flags = ["--ignore-scripts=false", "--no-audit", "--no-fund", "--prefix", prefix]
  execFileSync("npm", ["install", ...flags, `node@${version}`], { cwd: folder, stdio: "ignore" })
  return join(prefix, "node_modules/node/bin/node")
}

test.each([22, 24])(
  "Node.js %i runs the module's tests and the command",
  version => {
    const node = nodeOf(version)
    const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}`, NO_COLOR: "1" }
    const run = (command: string, ...args: string[]) =>
      execFileSync(command, args, { cwd: project, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
    expect(run("node", "--version")).toMatch(`v${version}.`)
    const vitest = join(project, "node_modules/vitest/vitest.mjs")
    expect(run("node", vitest, "run", "ci/test/ecs", "ci/test/version/decide.test.ts")).toMatch(
      /Tests +\d+ passed/,
    )
    expect(run("./offline/dagger", "--silent", "functions")).toMatch(/^release /m)
  },
  600_000,
)
