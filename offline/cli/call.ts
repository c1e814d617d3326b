import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { Constructed } from "../session/module/constructed.js"
import { sourcesHash } from "../session/module/keep.js"
import type { FunctionDef } from "../session/module/types.js"
import type { Api } from "./api.js"
import { type Chain, parseChain } from "./commandLine.js"
import { callFlags, type Globals, globalFlags, moduleFlags } from "./commands.js"
import { CliError, errorText } from "./errors.js"
import { chainHelp, layoutOf } from "./help.js"
import { type Loaded, type Log, loadModule, progressLog, STATE_DIR } from "./module.js"
import { resultText, Shown } from "./queries.js"

/** `dagger call`: runs a chain of functions and prints its result. Returns the exit code. Throws CliError. */
export async function call(words: readonly string[], globals: Globals): Promise<number> {
  takeEarly(words, globals)
  const log = progressLog(globals)
  const loaded = await loadModule(globals, log)
  const create = constructorOf(loaded.api)
  const flags = [...globalFlags(globals), ...moduleFlags(globals), ...callFlags(globals)]
  const chain = parseChain(loaded.api, create, words, flags)
  if (chain.help) return showHelp(loaded.api, chain)
  const value = await run(loaded, chain, globals, log)
  await print(value, chain, globals)
  return 0
}

/** Which module is meant, and whether to be silent, must be known before the functions are: these flags are taken wherever they stand. */
function takeEarly(words: readonly string[], globals: Globals): void {
  words.forEach((word, at) => {
    const [, value] = /^(?:--mod|-m)=(.*)$/.exec(word) ?? []
    if (value !== undefined) globals.mod = value
    else if (word === "--mod" || word === "-m") globals.mod = words[at + 1]
    if (word === "-s" || word === "--silent") globals.silent = true
  })
}

/** The constructor as a function: of no name, giving the main object. */
export function constructorOf(api: Api): FunctionDef {
  const args = api.mainObject.create?.args ?? []
  return { name: "", description: "", args, returns: { kind: "OBJECT", name: api.mainObject.name } }
}

function showHelp(api: Api, chain: Chain): number {
  const help = chainHelp(api, chain, layoutOf(process.stdout))
  if (!chain.error) {
    process.stdout.write(help)
    return 0
  }
  process.stderr.write(errorText(new CliError(chain.error.message)))
  process.stdout.write(`\n${help}`)
  return 1
}

async function run(
  { source, sdk, api, addresses }: Loaded,
  chain: Chain,
  globals: Globals,
  log: Log,
): Promise<unknown> {
  const cwd = resolve(globals.workdir ?? ".")
  const { Executor } = await import("./execute.js")
  const constructed = new Constructed(STATE_DIR, source.name, sourcesHash(source, sdk))
  const opening = import("./session.js").then(({ openSession }) => openSession(log, cwd))
  opening.catch(() => {})
  const filled = import("./sandbox.js").then(({ fillFromWorld }) =>
    fillFromWorld(source, chain, addresses, cwd, log),
  )
  filled.catch(() => {})
  const session = Promise.all([opening, filled]).then(([one]) => one)
  session.catch(() => {})
  const output = globals.output === undefined ? undefined : resolve(cwd, globals.output)
  const executor = new Executor({
    api,
    source,
    sdk,
    constructed,
    session,
    ready: filled,
    addresses,
    cwd,
    output,
    log,
  })
  const close = async () => {
    executor.kill()
    await (await opening).close()
  }
  onInterrupt(close)
  try {
    return await executor.execute(chain.steps)
  } finally {
    await close().catch(() => {})
  }
}

async function print(value: unknown, chain: Chain, globals: Globals): Promise<void> {
  const type = (chain.steps.at(-1) as Chain["steps"][number]).fn.returns
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

/** How long what runs is given to end, in milliseconds, before the command ends without it. */
const PATIENCE = 700

/**
 * On Ctrl-C (or SIGTERM): says `Canceled.`, ends what runs by `close` and exits with 1, within a second whatever `close` does.
 */
export function onInterrupt(close: () => Promise<void>): void {
  const cancel = () => {
    process.stderr.write("Canceled.\n")
    setTimeout(() => process.exit(1), PATIENCE).unref()
    close().then(
      () => process.exit(1),
      () => process.exit(1),
    )
  }
  process.once("SIGINT", cancel)
  process.once("SIGTERM", cancel)
}
