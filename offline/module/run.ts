import { type ChildProcessByStdio, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { Endpoint, type SessionAddress } from "./endpoint.js"
import { type Call, callFields, END, type FunctionError, registrationFields } from "./protocol.js"
import type { SdkFiles } from "./sdk.js"
import { type ModuleFiles, sourcesHash } from "./source.js"
import type { ModuleDef } from "./types.js"

/** One run of the module's code, in its own process. */
export interface Run {
  /** What the call returned: plain values, IDs for objects of the core API. Throws FunctionError if it threw. */
  result: Promise<unknown>
  /** Settles when the process has ended and all that it printed is out. */
  ended: Promise<void>
  /** Ends the process at once. No handler in it runs. */
  kill(): void
}

/**
 * Starts a run. The process starts at once and waits for `call`; its start takes most of the time, so the runs of a chain
 * are best started together.
 */
export function startRun(
  module: ModuleFiles,
  sdk: SdkFiles,
  call: Promise<Call | undefined>,
  session: Promise<SessionAddress> | undefined,
  log: (line: string) => void,
): Run {
  const stop = new AbortController()
  let ended = Promise.resolve()
  const result = new Promise<unknown>((resolve, reject) => {
    const outcome = { returned: resolve, failed: (error: FunctionError) => reject(error) }
    const fields = callFields(module.name, call, outcome)
    const own = session
      ? fields
      : { ...registrationFields, ...fields, Query: { ...registrationFields.Query, ...fields.Query } }
    ended = runModule(module, sdk, new Endpoint(own, session), stop.signal, log).then(reject, reject)
  })
  result.catch(() => {})
  call.catch(() => stop.abort())
  return { result, ended, kill: () => stop.abort() }
}

/** Asks the module to describe itself. Throws with what its process printed if it doesn't load. */
export async function describe(module: ModuleFiles, sdk: SdkFiles): Promise<ModuleDef> {
  const said: string[] = []
  const run = startRun(module, sdk, Promise.resolve(undefined), undefined, line => said.push(line))
  try {
    return (await run.result) as ModuleDef
  } catch {
    throw new Error(`the module ${module.name} does not load:\n${said.join("\n").trim()}`)
  }
}

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url))
const TSX = import.meta.resolve("tsx")

/**
 * Runs the module's code in a process, with its own session, until the call ends or `stop` says so. What it prints goes line by
 * line to `log`. Gives the error to show if it ended without a result, once all its lines are out.
 */
async function runModule(
  module: ModuleFiles,
  sdk: SdkFiles,
  endpoint: Endpoint,
  stop: AbortSignal,
  log: (line: string) => void,
): Promise<Error> {
  const { port, token } = await endpoint.open()
  const host = Host.take(module, sdk)
  const kill = () => host.kill()
  stop.addEventListener("abort", kill)
  if (stop.aborted) kill()
  const lastLines: string[] = []
  try {
    const how = await host.call(
      { DAGGER_SESSION_PORT: `${port}`, DAGGER_SESSION_TOKEN: token },
      (line, isError) => {
        log(line)
        if (isError) lastLines.push(line)
        if (lastLines.length > 30) lastLines.shift()
      },
    )
    return new Error(["the module's process ended without a result", `(${how})`, ...lastLines].join("\n"))
  } finally {
    stop.removeEventListener("abort", kill)
    endpoint.close()
  }
}

type Print = (line: string, isError: boolean) => void

/**
 * A process that has loaded a module and read its types, which takes most of a call's time. It serves one call at a time and is kept
 * for later ones: unlike on an engine, a module here sees what an earlier call left in its variables.
 */
class Host {
  private static idle: Host[] = []
  private print: Print = () => {}
  private ended = () => {}
  private readonly closed: Promise<string>

  /** One that has served a call of the same sources and is free, or a new one. */
  static take(module: ModuleFiles, sdk: SdkFiles): Host {
    const environment = environmentFor(sdk)
    const key = JSON.stringify([module.sourceDir, sourcesHash(module, sdk), environment])
    const found = Host.idle.find(host => host.key === key)
    Host.idle = Host.idle.filter(host => host !== found)
    return found ?? new Host(key, module, sdk, environment)
  }

  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>

  private constructor(
    private readonly key: string,
    module: ModuleFiles,
    sdk: SdkFiles,
    environment: NodeJS.ProcessEnv,
  ) {
    this.child = spawn(
      process.execPath,
      ["--no-deprecation", "--import", sdk.bundle, "--import", TSX, CHILD, sdk.client, ...module.files],
      { cwd: module.sourceDir, stdio: ["pipe", "pipe", "pipe"], env: environment },
    )
    this.child.stdin.on("error", () => {})
    this.closed = once(this.child, "close").then(([code]) => `code ${code}`)
    this.closed.then(() => (Host.idle = Host.idle.filter(host => host !== this)))
    let open = 0
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on("line", line => {
        const isEnd = `${line}\n`.endsWith(END)
        const text = isEnd ? line.slice(0, 1 - END.length) : line
        if (text !== "" || !isEnd) this.print(text, stream === this.child.stderr)
        if (isEnd) open = (open + 1) % 2
        if (isEnd && open === 0) this.ended()
      })
    }
  }

  /** Serves a call to its end, and says how it ended. */
  async call(environment: Record<string, string>, print: Print): Promise<string> {
    this.print = print
    const ended = new Promise<string>(resolve => (this.ended = () => resolve("exit")))
    this.child.stdin.write(`${JSON.stringify(environment)}\n`)
    const how = await Promise.race([ended, this.closed])
    if (how === "exit") this.keep()
    return how
  }

  kill(): void {
    this.child.kill("SIGKILL")
  }

  private keep(): void {
    // The one that served last is the quickest: it is taken first.
    Host.idle.unshift(this)
    if (Host.idle.length > MOST_IDLE) Host.idle.pop()?.kill()
  }
}

/** As in an engine's container, nothing of the user's environment is passed, above all no credentials. */
function environmentFor(sdk: SdkFiles): NodeJS.ProcessEnv {
  const { PATH, TMPDIR, NODE_EXTRA_CA_CERTS } = process.env
  return {
    ...{ PATH, TMPDIR, NODE_EXTRA_CA_CERTS },
    HOME: sdk.home,
    TSX_TSCONFIG_PATH: sdk.tsconfig,
    // An engine's Node.js is newer than the one that the AWS SDK warns about.
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  }
}

/** How many processes are kept: calls of a chain run at once. */
const MOST_IDLE = 2
