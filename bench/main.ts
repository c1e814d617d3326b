/** Runs the benchmarks: `npm run bench` for all, `npm run bench -- version` for one. */
import { execFileSync } from "node:child_process"
import { benchDeploy } from "./deploy.js"
import { benchVersion } from "./version.js"

const folder = import.meta.dirname
const benchmarks: Record<string, () => Promise<void>> = {
  version: () => benchVersion(folder),
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
  if (wanted.length === 0 || wanted.includes(name)) await run()
}
