import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { findUp } from "../module/source.js"
import type { ArgumentDef } from "../module/types.js"
import type { World } from "../sandbox.js"
import { kebab } from "./api.js"
import type { Globals } from "./commands.js"
import { CliError } from "./errors.js"
import { type Log, progressLog, stateDir } from "./module.js"
import type { Addresses } from "./user-defaults.js"

/** `up`: brings the sandbox up and prints how a real engine's `dagger call` rehearses against it. */
export async function up(globals: Globals): Promise<number> {
  const { worldUp } = await import("../sandbox.js")
  const caller = callerRepository(undefined, resolve(globals.workdir ?? "."))
  const world = await worldUp(stateDir(), caller, progressLog(globals))
  process.stdout.write(instructions(world))
  return 0
}

/** `down`: stops everything that runs for this checkout; its state is kept. */
export async function down(globals: Globals): Promise<number> {
  const { worldDown } = await import("../sandbox.js")
  await worldDown(stateDir(), progressLog(globals))
  return 0
}

/** `reset`: stops everything that runs for this checkout and deletes its state. */
export async function reset(globals: Globals): Promise<number> {
  const { worldReset } = await import("../sandbox.js")
  await worldReset(stateDir(), progressLog(globals))
  return 0
}

/** `logs [name]`: the last lines of each log, or of one. */
export async function logs([wanted]: readonly string[]): Promise<number> {
  const { worldLogs } = await import("../sandbox.js")
  const all = worldLogs(stateDir(), 100)
  const found = all.filter(({ name }) => !wanted || name === wanted)
  if (wanted && found.length === 0) {
    const known = all.map(log => log.name).join(", ") || "none yet"
    throw new CliError(`no log named ${JSON.stringify(wanted)}; available: ${known}`)
  }
  for (const { name, file, text } of found) process.stdout.write(`== ${name} (${file})\n${text}\n\n`)
  return 0
}

function instructions(world: World): string {
  const exports = Object.entries(world.env).map(([name, value]) => `export ${name}=${quoted(value)}`)
  const flags = Object.entries(endpoints(world)).map(([name, value]) => `--${kebab(name)}=${value}`)
  const { port, accountId, region, appUrl } = world.emulator
  return [
    `AWS APIs and registry   http://127.0.0.1:${port} (account ${accountId}, ${region})`,
    `The service             ${appUrl}`,
    `Git remote              ${endpoints(world).gitRemote}`,
    "",
    "# ./offline/dagger call, with or without --engine real, uses these automatically. To use them by hand:",
    ...exports,
    `dagger call ${flags.join(" ")} release`,
    "",
  ].join("\n")
}

function quoted(text: string): string {
  return /^[\w./:=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

interface Constructor {
  args: readonly ArgumentDef[]
  given: ReadonlyMap<string, unknown>
  addresses: Addresses
  cwd: string
  log: Log
}

/**
 * This checkout's sandbox for a module whose constructor takes the outside world as arguments (`awsEndpoint`, `gitEndpoint`,
 * `gitRemote`): returns values for the unset ones, and puts credentials for the `env://` secrets into the environment of this
 * process, so that no real account is reached. Nothing else is filled in, since an engine would not do it either: a linked work
 * tree's git directory is up to the caller to pass. The sandbox is brought up if it doesn't run; other modules are left alone.
 */
export async function fillFromWorld({ args, given, addresses, cwd, log }: Constructor) {
  const filled = new Map<string, string>()
  const isOpen = (arg: ArgumentDef) =>
    !given.has(arg.name) && !addresses.has(arg) && !arg.defaultValue?.match(/[^"]/)
  const open = new Set(args.filter(isOpen).map(arg => arg.name))
  if (!open.has("awsEndpoint") && !open.has("gitEndpoint")) return filled
  const { worldUp } = await import("../sandbox.js")
  const world = await worldUp(stateDir(), callerRepository(given.get("source"), cwd), log)
  if (!open.has("gitEndpoint")) open.delete("gitRemote")
  // The sandbox's account is in one region, whatever `.env` or AWS_REGION says.
  const takesRegion = args.some(({ name }) => name === "region") && !given.has("region")
  if (open.has("awsEndpoint") && takesRegion) open.add("region")
  else open.delete("region")
  for (const [name, value] of Object.entries({ ...endpoints(world), region: world.emulator.region })) {
    if (!open.has(name)) continue
    filled.set(name, value)
    log(`offline: ${name}=${JSON.stringify(value)}`)
  }
  for (const [name, value] of Object.entries(world.env)) {
    if (open.has(name.startsWith("AWS_") ? "awsEndpoint" : "gitEndpoint")) process.env[name] = value
  }
  return filled
}

/** The sandbox, by the constructor arguments that take it. */
function endpoints(world: World) {
  return {
    awsEndpoint: `tcp://127.0.0.1:${world.emulator.port}`,
    gitEndpoint: `tcp://127.0.0.1:${world.git.port}`,
    gitRemote: world.git.url,
  }
}

/** The folder whose git remote is stood in for: the one given as `--source`, else the repository that the call is made in. */
function callerRepository(given: unknown, cwd: string): string {
  const folder = typeof given === "string" ? resolve(cwd, given.replace(/^file:\/\//, "")) : ""
  return existsSync(folder) ? folder : (findUp(cwd, ".git") ?? cwd)
}
