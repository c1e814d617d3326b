import { dirname } from "node:path"
import { createInterface } from "node:readline"
import * as sdk from "@dagger.io/dagger"
import type ts from "typescript"
import { END } from "./protocol.js"

/**
 * Runs in its own process: the module's code under the SDK's entrypoint, which asks the session what to do, call after call.
 * Arguments: the SDK's generated client, then the files of the module. The working directory is the module's.
 */

/** The library's files, and the comments in them, which nobody reads and which take a good part of the time. */
const LIBRARY = /\/lib\.[^/]*\.d\.ts$/
const COMMENT = /\/\*\*[\s\S]*?\*\//g

/** The library's parts that describe a browser; the scan's target asks for them by default. */
const BROWSER = /\/lib\.(dom|webworker|scripthost)\b[^/]*\.d\.ts$/

// The process that started this one holds the other end. When it is gone, however it ended, so is this.
process.stdin.once("close", () => process.kill(process.pid, "SIGKILL"))

const [client = "", ...files] = process.argv.slice(2)
// The bundle that stands in for the SDK here has the compiler in it as well.
const { ts: compiler, keep } = sdk as unknown as { ts: typeof ts; keep: () => void }
narrowScan(compiler.sys, process.cwd(), dirname(client))
scanOnce(compiler)

// A line is a call: the session to serve it in. After an error the SDK ends the process: what that call has left is not the next one's.
for await (const line of createInterface(process.stdin)) {
  Object.assign(process.env, JSON.parse(line))
  try {
    await sdk.entrypoint([...files, client])
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
  process.stdout.write(END)
  process.stderr.write(END)
  keep()
}

/** Has the compiler read the sources at the first call only: they are the same as long as this process lives. */
function scanOnce(compiler: typeof ts): void {
  const { createProgram } = compiler
  let program: ts.Program | undefined
  const once = (...args: unknown[]) => {
    program ??= createProgram(...(args as Parameters<typeof createProgram>))
    return program
  }
  compiler.createProgram = once as typeof createProgram
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
