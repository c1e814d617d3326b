import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { Constructed } from "../module/kept.js"
import { sourcesHash } from "../module/source.js"
import type { TypeRef } from "../module/types.js"
import type { Api } from "./api.js"
import { type Chain, parseChain, type Step } from "./command-line.js"
import { callFlags, type Globals, globalFlags, moduleFlags, takeEarly } from "./commands.js"
import { errorText } from "./errors.js"
import { chainHelp } from "./help.js"
import { type Loaded, type Log, loadModule, progressLog, stateDir } from "./module.js"
import { resultText, Shown } from "./queries.js"

/** `dagger call`: runs a chain of functions and prints its result. Returns the exit code. Throws CliError. */
export async function call(words: readonly string[], globals: Globals): Promise<number> {
  takeEarly(words, globals)
  const log = progressLog(globals)
  const loaded = await loadModule(globals, log)
  for (const line of loaded.announcements) process.stderr.write(`${line}\n`)
  const flags = [...globalFlags(globals), ...moduleFlags(globals), ...callFlags(globals)]
  const chain = parseChain(loaded.api, words, flags)
  if (chain.help) return showHelp(loaded.api, chain)
  const value = await run(loaded, chain.steps, globals, log)
  await print(value, (chain.steps.at(-1) as Step).fn.returns, globals)
  return 0
}

function showHelp(api: Api, chain: Chain): number {
  const help = chainHelp(api, chain)
  if (chain.error) process.stderr.write(errorText(new Error(chain.error.message)))
  process.stdout.write(chain.error ? `\n${help}` : help)
  return chain.error ? 1 : 0
}

async function run(loaded: Loaded, steps: Step[], globals: Globals, log: Log): Promise<unknown> {
  const { source, sdk, api, addresses } = loaded
  const cwd = resolve(globals.workdir ?? ".")
  const kept = stateDir()
  const { Executor } = await import("./execute.js")
  const constructed = new Constructed(kept, source.name, sourcesHash(source, sdk))
  const opening = import("./session.js").then(({ openSession }) => openSession(log, cwd))
  const fill = async () => {
    const { fillFromWorld } = await import("./sandbox.js")
    const { given } = steps[0] as Step
    const filled = await fillFromWorld({ args: api.create.args, given, addresses, cwd, log })
    for (const [name, value] of filled) given.set(name, value)
  }
  const session = Promise.all([opening, fill()]).then(([opened]) => opened)
  session.catch(() => {})
  const output = globals.output && resolve(cwd, globals.output)
  const executor = new Executor({ api, source, sdk, constructed, session, addresses, cwd, output, log })
  const close = async () => {
    executor.kill()
    await (await opening).close()
  }
  const interrupt = onInterrupt(close)
  const sayOfReal = globals.silent ? () => {} : (await import("./real-engine.js")).lookForReal(kept)
  try {
    return await executor.execute(steps)
  } catch (error) {
    // A failure caused by canceling need not be reported.
    if (interrupt.canceled) return await new Promise<never>(() => {})
    throw error
  } finally {
    await close().catch(() => {})
    interrupt.remove()
    sayOfReal()
  }
}

async function print(value: unknown, type: TypeRef, globals: Globals): Promise<void> {
  if (type.kind === "VOID") return
  if (globals.output !== undefined && type.kind === "OBJECT" && typeof value === "string") {
    process.stderr.write(`Saved to ${JSON.stringify(value)}.\n`)
    return
  }
  const text = resultText(value, globals.json)
  if (globals.output !== undefined && !(value instanceof Shown)) {
    const path = resolve(globals.workdir ?? ".", globals.output)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    process.stderr.write(`Saved output to ${JSON.stringify(path)}.\n`)
  }
  const end = process.stdout.isTTY && !text.endsWith("\n") ? "\n" : ""
  await new Promise<void>(done => process.stdout.write(text + end, () => done()))
}

/** Milliseconds that running work has to end before the command exits anyway. */
const PATIENCE = 700

/**
 * On Ctrl-C (or SIGTERM): says `Canceled.`, ends what runs by `close` and exits with 1, within a second whatever `close` does.
 */
function onInterrupt(close: () => Promise<void>) {
  const exit = () => process.exit(1)
  const cancel = () => {
    interrupt.canceled = true
    process.stderr.write("Canceled.\n")
    setTimeout(exit, PATIENCE)
    close().then(exit, exit)
  }
  const interrupt = {
    canceled: false,
    remove: () => process.off("SIGINT", cancel).off("SIGTERM", cancel),
  }
  process.once("SIGINT", cancel).once("SIGTERM", cancel)
  return interrupt
}
