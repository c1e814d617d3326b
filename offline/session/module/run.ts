import { type Call, callFields, type FunctionError } from "./calls.js"
import { Endpoint, type SessionAddress } from "./endpoint.js"
import { type ModuleFiles, startModule } from "./process.js"
import { registrationFields } from "./registration.js"
import type { SdkFiles } from "./sdk.js"
import type { ModuleDef } from "./types.js"

/** One run of the module's code, in a process of its own. */
export interface Run {
  /** What the call returned: plain values, IDs for objects of the core API. Throws FunctionError where it threw. */
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
  let kill = () => {}
  let killed = false
  let end = () => {}
  const ended = new Promise<void>(resolve => {
    end = resolve
  })
  const result = new Promise<unknown>((resolve, reject) => {
    const outcome = { returned: resolve, failed: (error: FunctionError) => reject(error) }
    const fields = callFields(module.name, call, outcome)
    const own = session
      ? fields
      : { ...registrationFields, ...fields, Query: { ...registrationFields.Query, ...fields.Query } }
    const endpoint = new Endpoint(own, session)
    const start = async () => {
      const address = await endpoint.open()
      if (killed) return endpoint.close()
      const run = startModule(module, sdk, address, log)
      kill = () => run.process.kill("SIGKILL")
      call.catch(() => kill())
      const { code, lastLines } = await run.ended
      endpoint.close()
      reject(
        new Error(["the module's process ended without a result", `(code ${code})`, ...lastLines].join("\n")),
      )
    }
    start().catch(reject).finally(end)
  })
  result.catch(() => {})
  return {
    result,
    ended,
    kill: () => {
      killed = true
      kill()
    },
  }
}

/** Asks the module to describe itself. Throws with what its process said where it doesn't load. */
export async function describe(module: ModuleFiles, sdk: SdkFiles): Promise<ModuleDef> {
  const said: string[] = []
  const run = startRun(module, sdk, Promise.resolve(undefined), undefined, line => said.push(line))
  try {
    return (await run.result) as ModuleDef
  } catch {
    throw new Error(`the module ${module.name} does not load:\n${said.join("\n").trim()}`)
  }
}
