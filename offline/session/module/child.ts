import { dirname } from "node:path"
import * as sdk from "@dagger.io/dagger"
import type ts from "typescript"

/**
 * Runs in its own process: the module's code under the SDK's entrypoint, which asks the session what to do.
 * Arguments: the SDK's generated client, then the files of the module. The working directory is the module's.
 */

/** The library's files, and the comments in them, which nobody reads and which take a good part of the time. */
const LIBRARY = /\/lib\.[^/]*\.d\.ts$/
const COMMENT = /\/\*\*[\s\S]*?\*\//g

/** The library's parts that describe a browser; the scan's target asks for them by default. */
const BROWSER = /\/lib\.(dom|webworker|scripthost)\b[^/]*\.d\.ts$/

// The command that started this process holds the other end. When it is gone, however it ended, so is this.
process.stdin.once("close", () => process.kill(process.pid, "SIGKILL")).resume()

const [client = "", ...files] = process.argv.slice(2)
// The bundle that stands in for the SDK here has the compiler in it as well.
narrowScan((sdk as unknown as { ts: typeof ts }).ts.sys, process.cwd(), dirname(client))

try {
  await sdk.entrypoint([...files, client])
  process.exit(0)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

/**
 * Lets the SDK's scan see what an engine's scan sees: the module's sources and the SDK's types, and no other npm package. Types of
 * packages and of the browser can't be part of a module's interface; without them the scan takes a third of the time.
 * `sourceDir` is the module's folder, `types` the one with the SDK's types.
 */
export function narrowScan(system: ts.System, sourceDir: string, types: string): void {
  const { directoryExists, fileExists, readFile } = system
  const package_ = `${sourceDir}/node_modules/@dagger.io/dagger`
  const at = (path: string) => (path.startsWith(package_) ? types + path.slice(package_.length) : path)
  const isHidden = (path: string) =>
    /\/node_modules(\/|$)/.test(path) && !`${package_}/`.startsWith(`${path}/`)
  system.directoryExists = path => {
    if (path.startsWith(package_)) return directoryExists(at(path))
    return `${package_}/`.startsWith(`${path}/`) || (!isHidden(path) && directoryExists(path))
  }
  system.fileExists = path => fileExists(at(path))
  system.readFile = (path, encoding) => {
    if (BROWSER.test(path)) return ""
    const text = readFile(at(path), encoding)
    return LIBRARY.test(path) ? text?.replace(COMMENT, "") : text
  }
  system.realpath = path => at(path)
}
