/**
 * Runs the benchmarks, ratios first, and writes what they print into docs/performance.md: `npm run bench` for all, `npm run bench --
 * version` for one.
 */
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { endServing } from "../offline/cli/sockets.mjs"
import { benchDeploy } from "./deploy.js"
import { benchRelease } from "./release.js"
import { benchStart } from "./start.js"
import { benchVersion } from "./version.js"

const folder = import.meta.dirname
const page = join(folder, "../docs/performance.md")
const benchmarks: Record<string, () => Promise<string[]>> = {
  release: () => benchRelease(),
  version: () => benchVersion(folder),
  start: () => benchStart(),
  deploy: () => benchDeploy(),
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter(name => !(name in benchmarks))
if (unknown.length > 0) {
  console.error(
    `No benchmark is called ${unknown.join(", ")}. Available: ${Object.keys(benchmarks).join(", ")}`,
  )
  process.exit(1)
}
// The tools to compare with aren't part of the project: they are installed here when they are needed.
execFileSync("npm", ["install", "--prefix", folder, "--no-audit", "--no-fund", "--silent"], {
  stdio: "inherit",
})
for (const [name, run] of Object.entries(benchmarks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const lines = await run()
  console.log(`\n${lines.join("\n")}`)
  write(name, lines)
}
await endServing()

/** Puts the lines in the page's block of that name. */
function write(name: string, lines: string[]): void {
  const text = readFileSync(page, "utf8")
  const block = new RegExp(`(<!-- bench ${name} -->\n\`\`\`\n)[^\`]*(\`\`\`)`)
  if (lines.length === 0) throw new Error(`the benchmark ${name} printed nothing`)
  if (!block.test(text)) throw new Error(`${page} has no block for the benchmark ${name}`)
  writeFileSync(
    page,
    text.replace(block, (_, start, end) => `${start}${lines.join("\n")}\n${end}`),
  )
}
