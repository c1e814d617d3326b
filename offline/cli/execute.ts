import { connect, createServer } from "node:net"
import { type Call, FunctionError } from "../session/module/calls.js"
import type { Constructed } from "../session/module/constructed.js"
import { type Run, startRun } from "../session/module/run.js"
import type { SdkFiles } from "../session/module/sdk.js"
import type { ModuleSource } from "../session/module/source.js"
import type { ArgumentDef, TypeRef } from "../session/module/types.js"
import { openTerminal, type RunningSession } from "../session/server.js"
import { type Api, isWorkspace, typeName } from "./api.js"
import type { Step } from "./commandLine.js"
import { apiError, CliError } from "./errors.js"
import type { Log } from "./module.js"
import { ask, askFor, coreQuery, type Selection, Shown } from "./queries.js"
import type { Addresses } from "./userDefaults.js"
import { isAddressed, loadAddress, loadDefaultPath, nodeQuery } from "./values.js"

/** All that a chain's execution needs. */
export interface Context {
  api: Api
  source: ModuleSource
  sdk: SdkFiles
  constructed: Constructed
  session: Promise<RunningSession>
  /** Settles when the constructor's step has all its arguments. */
  ready: Promise<void>
  addresses: Addresses
  cwd: string
  output?: string
  log: (line: string) => void
}

interface Waiting {
  run: Run
  call: (call: Call) => void
}

/** Runs chains. `kill` ends what runs at once. */
export class Executor {
  private readonly waiting: Waiting[] = []
  private readonly runs = new Set<Run>()
  private killed = false

  constructor(private readonly context: Context) {}

  /** The result of a chain: a plain value, or Shown for an object. Throws CliError. */
  async execute(steps: readonly Step[]): Promise<unknown> {
    const [create, ...rest] = steps as [Step, ...Step[]]
    const { constructed, ready, api } = this.context
    const constructs = api.mainObject.create && !constructed.any ? 1 : 0
    // The processes of a chain start together, while the session starts.
    for (let count = constructs + this.ownCalls(rest); count > 0; count--) this.waiting.push(this.start())
    await ready
    const state = api.mainObject.create ? await this.construct(await this.arguments(create)) : {}
    return this.follow({ kind: "OBJECT", name: api.mainObject.name }, state, rest)
  }

  private async construct(args: Record<string, unknown>): Promise<unknown> {
    const { constructed, api } = this.context
    const kept = constructed.find(args)
    if (kept !== undefined) return kept
    const state = await this.call({ object: api.mainObject.name, state: {}, name: "", args })
    constructed.keep(args, state)
    return state
  }

  /** Ends every process of the module at once; no handler in them runs. */
  kill(): void {
    this.killed = true
    for (const run of this.runs) run.kill()
  }

  private async follow(type: TypeRef, value: unknown, steps: readonly Step[]): Promise<unknown> {
    if (Array.isArray(value)) {
      const shown: unknown[] = []
      for (const one of value) shown.push(await this.follow(type.element as TypeRef, one, steps))
      return shown
    }
    if (type.kind !== "OBJECT" || value === null) return value
    const own = this.context.api.own(type.name)
    if (!own) return this.followCore(type.name as string, value as string, steps)
    const [step, ...rest] = steps
    if (!step) return new Shown(typeName(this.context.api.moduleName, own.name), value)
    const field = own.fields.find(one => one.name === step.fn.name)
    if (field) return this.follow(field.type, (value as Record<string, unknown>)[field.name], rest)
    const call = { object: own.name, state: value, name: step.fn.name, args: await this.arguments(step) }
    return this.follow(step.fn.returns, await this.call(call), rest)
  }

  private async followCore(type: string, id: string, steps: readonly Step[]): Promise<unknown> {
    const chain: Selection[] = []
    for (const [at, step] of steps.entries()) {
      const args = await this.arguments(step, true)
      if (step.fn.name === "terminal" || step.fn.name === "up") {
        const reached = await this.coreId(type, id, chain)
        return this.interact(step, reached, args, steps.slice(at + 1))
      }
      chain.push({ step, args })
    }
    const { query, read } = coreQuery(this.context.api, type, id, chain, this.context.output)
    return read(await ask(await this.context.session, query))
  }

  /** The ID of what a chain of core functions gives. */
  private async coreId(type: string, id: string, chain: readonly Selection[]): Promise<string> {
    if (chain.length === 0) return id
    const { query } = coreQuery(this.context.api, type, id, chain)
    let found: unknown = await ask(await this.context.session, query)
    while (found !== null && typeof found === "object") found = Object.values(found)[0]
    return found as string
  }

  private async interact(
    step: Step,
    id: string,
    args: Record<string, unknown>,
    rest: readonly Step[],
  ): Promise<unknown> {
    const session = await this.context.session
    if (step.fn.name === "up") return up(session, id, args, this.context.log)
    return this.followCore("Container", await terminal(session, id, args.cmd as string[] | undefined), rest)
  }

  /** The arguments to send: what was given, then the user's and the code's defaults. The core API has its own defaults. */
  private async arguments(step: Step, core = false): Promise<Record<string, unknown>> {
    const args: Record<string, unknown> = {}
    for (const arg of step.fn.args) {
      const value = await this.argument(arg, step.given.get(arg.name), core)
      if (value !== undefined) args[arg.name] = value
    }
    return args
  }

  private async argument(arg: ArgumentDef, given: unknown, core: boolean): Promise<unknown> {
    const { session, cwd, addresses, source, api } = this.context
    const value = given ?? addresses.get(arg)
    const load = async (type: TypeRef, one: unknown): Promise<unknown> =>
      isAddressed(type) ? loadAddress(await session, arg, type, one as string, cwd) : one
    if (value !== undefined) {
      const element = arg.type.element
      if (element && Array.isArray(value)) return Promise.all(value.map(one => load(element, one)))
      if (arg.type.kind === "ENUM" && !core) return api.enumMember(arg.type.name as string, value as string)
      return load(arg.type, value)
    }
    if (core) return undefined
    if (isWorkspace(arg)) return askFor(await session, "{ currentWorkspace { id } }")
    if (arg.defaultValue) return JSON.parse(arg.defaultValue)
    if (arg.defaultPath) return loadDefaultPath(await session, arg, source)
    if (arg.defaultAddress) return load(arg.type, arg.defaultAddress)
    return undefined
  }

  private async call(call: Call): Promise<unknown> {
    const waiting = this.waiting.shift() ?? this.start()
    waiting.call(call)
    try {
      const value = await waiting.run.result
      await waiting.run.ended
      return value
    } catch (error) {
      if (error instanceof FunctionError) await waiting.run.ended
      if (error instanceof FunctionError) throw apiError(error.message, error.extensions)
      throw error
    } finally {
      this.runs.delete(waiting.run)
    }
  }

  private start(): Waiting {
    if (this.killed) throw new Error("canceled")
    const { source, sdk, session, log } = this.context
    let give: (call: Call) => void = () => {}
    const call = new Promise<Call>(resolve => {
      give = resolve
    })
    const run = startRun(source, sdk, call, session, log)
    this.runs.add(run)
    return { run, call: give }
  }

  /** How many of the steps after the constructor's run the module's code, where no lists are in between. */
  private ownCalls(steps: readonly Step[]): number {
    let type: TypeRef = { kind: "OBJECT", name: this.context.api.mainObject.name }
    let count = 0
    for (const step of steps) {
      const own = type.kind === "OBJECT" ? this.context.api.own(type.name) : undefined
      if (!own) break
      if (own.functions.some(fn => fn.name === step.fn.name)) count++
      type = step.fn.returns
    }
    return count
  }
}

interface Forward {
  frontend: number
  backend: number
}

/**
 * Container.terminal: a shell (or `cmd`) in the container, on this terminal. What it changes is dropped; gives the same container.
 * Throws CliError where there is no terminal.
 */
export async function terminal(session: RunningSession, id: string, cmd?: string[]): Promise<string> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new CliError(
      "running shell without the TUI is not supported: it needs a terminal on standard input and output",
    )
  }
  await openTerminal(session.session, id, cmd && cmd.length > 0 ? cmd : undefined)
  return id
}

/**
 * Service.up: starts the service and makes its ports the same ones (or those of `forwards`, or with `random` free ones) on this
 * machine's loopback, until the command is canceled. Each is told through `log`.
 */
export async function up(
  session: RunningSession,
  id: string,
  options: { ports?: Forward[]; random?: boolean },
  log: Log,
): Promise<never> {
  await askFor(session, nodeQuery("Service", id, "start"))
  const known = (await askFor(session, nodeQuery("Service", id, "ports { port }"))) as { port: number }[]
  const all = known.map(({ port }) => ({ frontend: port, backend: port }))
  for (const { frontend, backend } of options.ports?.length ? options.ports : all) {
    const target = (await askFor(session, nodeQuery("Service", id, `endpoint(port: ${backend})`))) as string
    const port = await listen(options.random ? 0 : frontend, target)
    log(`tunnel: 127.0.0.1:${port} to the service's port ${backend}. Ctrl-C ends it.`)
  }
  return new Promise<never>(() => {})
}

function listen(port: number, target: string): Promise<number> {
  const [, host = "", at = ""] = /^(.*):(\d+)$/.exec(target) ?? []
  const server = createServer(socket => {
    const onward = connect(Number(at), host)
    socket.on("error", () => onward.destroy()).pipe(onward)
    onward.on("error", () => socket.destroy()).pipe(socket)
  })
  return new Promise((resolve, reject) => {
    server.once("error", error => reject(new CliError(`port ${port} can't be opened: ${error.message}`)))
    server.listen(port, "127.0.0.1", () => resolve((server.address() as { port: number }).port))
  })
}
