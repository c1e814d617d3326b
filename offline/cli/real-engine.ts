import { execFile } from "node:child_process"
import { accessSync, closeSync, constants, existsSync, openSync, readSync, writeFileSync } from "node:fs"
import { delimiter, join, resolve } from "node:path"
import { promisify } from "node:util"
import { kebab } from "./api.js"
import { type Globals, takeEarly } from "./commands.js"
import { CliError } from "./errors.js"
import { loadModule, progressLog } from "./module.js"
import { fillFromWorld } from "./sandbox.js"
import { runCommand } from "./session.js"

const execute = promisify(execFile)

/** The real `dagger` on PATH: the first that isn't this stand-in or a script that calls one. */
export function realDagger(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter)
  return folders.map(folder => resolve(folder, "dagger")).find(isReal)
}

function isReal(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    const start = Buffer.alloc(1024)
    const file = openSync(path, "r")
    readSync(file, start)
    closeSync(file)
    return !start.includes("offline/dagger")
  } catch {
    return false
  }
}

/**
 * Runs a command line on the real `dagger`. A call gets, right after the word `call`, the sandbox's endpoints as those constructor
 * arguments that aren't given, and its credentials in the environment: what `up` prints. All other words are passed on as they
 * are. `rest` is what follows the command in `words`. Gives its exit code. Throws CliError if there is no real `dagger`.
 */
export async function runReal(
  words: readonly string[],
  command: string,
  rest: readonly string[],
  globals: Globals,
): Promise<number> {
  const dagger = realDagger()
  if (!dagger) {
    throw new CliError(
      "--engine real: the only dagger on PATH is this stand-in. Install Dagger (https://docs.dagger.io/install), or leave out the option.",
    )
  }
  const front = words.slice(0, words.length - rest.length)
  const before = front.filter((word, at) => !/^--engine(=|$)/.test(word) && front[at - 1] !== "--engine")
  const isCall = command === "call" && !rest.includes("--help") && !rest.includes("-h")
  const endpoints = isCall ? await sandboxArguments(rest, globals) : []
  return runCommand(dagger, [...before, ...endpoints, ...rest], {})
}

/** Brings the sandbox up, and its credentials into the environment. A module that takes no endpoints needs none. */
async function sandboxArguments(words: readonly string[], globals: Globals): Promise<string[]> {
  takeEarly(words, globals)
  const log = progressLog(globals)
  const { api, addresses } = await loadModule(globals, log)
  // What the real command line will make of the words is up to it: here it only matters which arguments are there.
  const given = new Map<string, unknown>()
  for (const [at, word] of words.entries()) {
    const [, written, , value] = /^--([^=]+)(=([\s\S]*))?$/.exec(word) ?? []
    const arg = written && api.create.args.find(({ name }) => kebab(name) === kebab(written))
    if (arg) given.set(arg.name, value ?? words[at + 1])
  }
  const cwd = resolve(globals.workdir ?? ".")
  const filled = await fillFromWorld({ args: api.create.args, given, addresses, cwd, log })
  return [...filled].map(([name, value]) => `--${kebab(name)}=${value}`)
}

/**
 * Finds out, while a call runs, whether a real `dagger` on PATH has an engine that answers. The returned function must be called at
 * the end of the call; it prints a note if there is one by then and this checkout hasn't printed it before. Nothing waits for the
 * answer, and no engine is started for it: only a running one is asked.
 */
export function lookForReal(stateDir: string): () => void {
  const said = join(stateDir, "real-engine-said")
  const dagger = existsSync(said) ? undefined : realDagger()
  if (!dagger) return () => {}
  const asking = new AbortController()
  let version: string | undefined
  answeringVersion(dagger, asking.signal).then(
    found => (version = found),
    () => {},
  )
  return () => {
    asking.abort()
    if (!version) return
    process.stderr.write(
      `note: ${dagger} (${version}) and its engine are running: ./offline/dagger --engine real call … makes the same call there, against the same sandbox.\n`,
    )
    writeFileSync(said, "")
  }
}

/** The version of a `dagger` if its engine runs and answers; undefined if not. Throws if one can't be asked. */
async function answeringVersion(dagger: string, signal: AbortSignal): Promise<string | undefined> {
  const ask = async (file: string, ...args: string[]) => (await execute(file, args, { signal })).stdout
  const said = await ask(dagger, "version")
  const [version] = /v\d+\.\d+\.\d+\S*/.exec(said) ?? []
  if (!version) return undefined
  // Asking a command line whose engine isn't running would start one.
  const runner = process.env._EXPERIMENTAL_DAGGER_RUNNER_HOST ?? "docker-image:"
  const running = ["ps", "--quiet", "--filter", `name=^dagger-engine-${version}$`]
  if (runner.startsWith("docker-image:") && !(await ask("docker", ...running))) return undefined
  await ask(dagger, "--silent", "core", "version")
  return version
}
