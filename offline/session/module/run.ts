import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Endpoint, type SessionAddress } from "./endpoint.js"
import { type Call, callFields, type FunctionError, registrationFields } from "./protocol.js"
import type { SdkFiles } from "./sdk.js"
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

/** A module as its process needs to know it. */
export interface ModuleFiles {
  /** As in dagger.json. */
  name: string
  /** The folder that holds `src`; the process works in it. */
  sourceDir: string
  /** Absolute, sorted. */
  files: string[]
}

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url))
const TSX = import.meta.resolve("tsx")

/**
 * Runs the module's code in a process, with its own session, until it ends or `stop` says so. What it prints goes line by
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
  const child = spawn(
    process.execPath,
    ["--no-deprecation", "--import", sdk.bundle, "--import", TSX, CHILD, sdk.client, ...module.files],
    {
      cwd: module.sourceDir,
      stdio: ["pipe", "pipe", "pipe"],
      // As in an engine's container, nothing of the user's environment is passed, above all no credentials.
      env: {
        PATH: process.env.PATH,
        TMPDIR: process.env.TMPDIR,
        NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS,
        HOME: sdk.home,
        DAGGER_SESSION_PORT: `${port}`,
        DAGGER_SESSION_TOKEN: token,
        TSX_TSCONFIG_PATH: sdk.tsconfig,
        // An engine's Node.js is newer than the one that the AWS SDK warns about.
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
      },
    },
  )
  const kill = () => child.kill("SIGKILL")
  stop.addEventListener("abort", kill)
  if (stop.aborted) kill()
  child.stdin.on("error", () => {})
  const lastLines: string[] = []
  createInterface({ input: child.stdout }).on("line", log)
  createInterface({ input: child.stderr }).on("line", line => {
    log(line)
    lastLines.push(line)
    if (lastLines.length > 30) lastLines.shift()
  })
  try {
    const [code] = await once(child, "close")
    return new Error(
      ["the module's process ended without a result", `(code ${code})`, ...lastLines].join("\n"),
    )
  } finally {
    endpoint.close()
  }
}
