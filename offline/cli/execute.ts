import { scryptSync } from "node:crypto"
import { connect, createServer } from "node:net"
import type { Constructed } from "../module/kept.js"
import { type Call, FunctionError } from "../module/protocol.js"
import { type Run, startRun } from "../module/run.js"
import type { SdkFiles } from "../module/sdk.js"
import type { ModuleSource } from "../module/source.js"
import type { ArgumentDef, TypeRef } from "../module/types.js"
import type { RunningSession } from "../session/server.js"
import { type Api, isAddressed, isWorkspace, typeName } from "./api.js"
import type { Step } from "./command-line.js"
import { apiError, CliError } from "./errors.js"
import type { Log } from "./module.js"
import { ask, askFor, coreQuery, nodeQuery, type Selection, Shown } from "./queries.js"
import type { Addresses } from "./user-defaults.js"
import { cacheKeyOf, loadAddress, loadDefaultPath } from "./values.js"

interface Context {
  api: Api
  source: ModuleSource
  sdk: SdkFiles
  constructed: Constructed
  /** Settles when the constructor's step has all its arguments, too. */
  session: Promise<RunningSession>
  addresses: Addresses
  cwd: string
  output?: string
  log: Log
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
    const { constructed, session, api } = this.context
    const constructs = api.mainObject.create && !constructed.any ? 1 : 0
    // The processes of a chain start together, while the session starts.
    const own = api.module.objects.flatMap(object => object.functions)
    const calls = rest.filter(step => own.includes(step.fn)).length
    for (let count = constructs + calls; count > 0; count--) this.waiting.push(this.start())
    await session
    const state = api.mainObject.create ? await this.construct(create) : {}
    return this.follow({ kind: "OBJECT", name: api.mainObject.name }, state, rest)
  }

  private async construct(create: Step): Promise<unknown> {
    const { constructed, api } = this.context
    const args = await this.arguments(create)
    const secrets = await this.secretsHash(create, args)
    const kept = secrets && constructed.find({ args, secrets })
    if (kept !== undefined) return kept
    const state = await this.call({ object: api.mainObject.name, state: {}, name: "", args })
    if (secrets) constructed.keep({ args, secrets }, state)
    return state
  }

  /**
   * The cache key of the constructor's secrets: a hash of their cache keys, or of their values. Undefined if an engine would never
   * reuse the call: because a secret has neither, or because the constructor takes a Workspace, which is a new one each time.
   */
  private async secretsHash(create: Step, args: Record<string, unknown>): Promise<string | undefined> {
    if (create.fn.args.some(isWorkspace)) return undefined
    const secrets = create.fn.args.filter(({ type }) => (type.element ?? type).name === "Secret")
    const keys = secrets.flatMap(arg => {
      const addresses = [create.given.get(arg.name) ?? this.context.addresses.get(arg)].flat()
      const ids = args[arg.name] === undefined ? [] : [args[arg.name]].flat()
      return ids.map(async (id, at) => cacheKeyOf(String(addresses[at])) ?? this.plaintext(id as string))
    })
    const values = await Promise.all(keys)
    if (values.includes(undefined)) return undefined
    return scryptSync(JSON.stringify(values), "constructor", 32, { N: 4096 }).toString("hex")
  }

  private async plaintext(secret: string): Promise<string | undefined> {
    const session = await this.context.session
    return askFor(session, nodeQuery("Secret", secret, "plaintext")).then(String, () => undefined)
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
    for (const [at, { fn, given }] of steps.entries()) {
      const args = await this.arguments({ fn, given }, true)
      if (fn.name !== "terminal" && fn.name !== "up") {
        chain.push({ fn, args })
        continue
      }
      const session = await this.context.session
      const reached = await this.coreId(type, id, chain)
      if (fn.name === "up") return up(session, reached, args.ports as Forward[] | undefined, this.context.log)
      await terminal(session, reached, args.cmd as string[] | undefined)
      return this.followCore("Container", reached, steps.slice(at + 1))
    }
    const { query, read } = coreQuery(this.context.api, type, id, chain, this.context.output)
    return read(await ask(await this.context.session, query))
  }

  /** The ID of what a chain of core functions gives. */
  private async coreId(type: string, id: string, chain: readonly Selection[]): Promise<string> {
    if (chain.length === 0) return id
    return (await askFor(
      await this.context.session,
      coreQuery(this.context.api, type, id, chain).query,
    )) as string
  }

  /** The arguments to send: what was given, then the user's and the code's defaults. The core API has its own defaults. */
  private async arguments(step: Pick<Step, "fn" | "given">, core = false): Promise<Record<string, unknown>> {
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
      if (!(error instanceof FunctionError)) throw error
      await waiting.run.ended
      throw apiError(error.message, error.extensions)
    } finally {
      this.runs.delete(waiting.run)
    }
  }

  private start(): Waiting {
    if (this.killed) throw new Error("canceled")
    const { source, sdk, session, log } = this.context
    let give: (call: Call) => void = () => {}
    const given = new Promise<Call>(resolve => (give = resolve))
    log(`module ${source.name}: a process starts`, true)
    const run = startRun(source, sdk, given, session, log)
    this.runs.add(run)
    return { run, call: give }
  }
}

interface Forward {
  frontend: number
  backend: number
}

/** Container.terminal: a shell (or `cmd`) in the container, on this terminal. What it changes is dropped. */
async function terminal({ session }: RunningSession, id: string, cmd: string[] = []): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new CliError("terminal needs a terminal on standard input and output")
  }
  const { openTerminal } = await import("../session/server.js")
  await openTerminal(session, id, cmd.length > 0 ? cmd : undefined)
}

/**
 * Service.up: starts the service and opens its ports (or those of `forwards`) on this machine's loopback, until the command is
 * canceled.
 */
async function up(session: RunningSession, id: string, forwards: Forward[] = [], log: Log): Promise<never> {
  const ask = (field: string) => askFor(session, nodeQuery("Service", id, field))
  await ask("start")
  const ports = (await ask("ports { port }")) as { port: number }[]
  const own = ports.map(({ port }) => ({ frontend: port, backend: port }))
  for (const { frontend, backend } of forwards.length > 0 ? forwards : own) {
    const target = (await ask(`endpoint(port: ${backend})`)) as string
    // A service that shares this machine's network needs no tunnel.
    if (target !== `127.0.0.1:${frontend}`) await listen(frontend, target)
    log(`tunnel: 127.0.0.1:${frontend} to the service's port ${backend}. Ctrl-C stops it.`)
  }
  return new Promise<never>(() => {})
}

function listen(port: number, target: string): Promise<void> {
  const [, host = "", at = ""] = /^(.*):(\d+)$/.exec(target) ?? []
  const server = createServer(socket => {
    const onward = connect(Number(at), host)
    socket.on("error", () => onward.destroy()).pipe(onward)
    onward.on("error", () => socket.destroy()).pipe(socket)
  })
  return new Promise((resolve, reject) => {
    server.once("error", error => reject(new CliError(`port ${port} can't be opened: ${error.message}`)))
    server.listen(port, "127.0.0.1", () => resolve())
  })
}
