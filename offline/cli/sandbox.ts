import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { type World, worldDown, worldLogs, worldReset, worldUp } from "../machine/world.js"
import { findModule, type ModuleSource } from "../session/module/source.js"
import type { ArgumentDef } from "../session/module/types.js"
import type { Chain } from "./commandLine.js"
import type { Globals } from "./commands.js"
import { CliError } from "./errors.js"
import { CHECKOUT, type Log, progressLog } from "./module.js"
import type { Addresses } from "./userDefaults.js"

/** `up`: brings the sandbox up and prints how a real engine's `dagger call` rehearses against it. */
export async function up(globals: Globals): Promise<number> {
  const log = progressLog(globals)
  const world = await worldUp(STATE_DIR, findModule(globals.mod, CHECKOUT).root, log)
  process.stdout.write(instructions(world))
  return 0
}

/** `down`: ends what runs for this checkout; nothing is forgotten. */
export async function down(globals: Globals): Promise<number> {
  await worldDown(STATE_DIR, progressLog(globals))
  return 0
}

/** `reset`: ends what runs for this checkout and forgets all of it. */
export async function reset(globals: Globals): Promise<number> {
  await worldReset(STATE_DIR, progressLog(globals))
  return 0
}

/** `logs [name]`: the last lines of each log, or of one. */
export function logs(names: readonly string[]): number {
  const all = worldLogs(STATE_DIR, 100)
  const [wanted] = names
  const found = wanted
    ? all.filter(log => log.name === wanted || (wanted === "aws" && log.name === "emulator"))
    : all
  if (wanted && found.length === 0) {
    const known = all.map(log => log.name).join(", ") || "none yet"
    throw new CliError(`no log named ${JSON.stringify(wanted)}; there are: ${known}`, { bare: true })
  }
  for (const { name, file, text } of found) process.stdout.write(`== ${name} (${file})\n${text}\n\n`)
  return 0
}

function instructions(world: World): string {
  const exports = Object.entries(world.env).map(([name, value]) => `export ${name}=${quoted(value)}`)
  const flags = [
    `--aws-endpoint=tcp://127.0.0.1:${world.emulator.port}`,
    `--git-endpoint=tcp://127.0.0.1:${world.git.port}`,
    `--git-remote=${gitUrl(world)}`,
  ]
  return [
    `AWS APIs and registry   http://127.0.0.1:${world.emulator.port} (account ${world.emulator.accountId}, ${world.emulator.region})`,
    `The service             ${world.emulator.appUrl}`,
    `Git remote              ${gitUrl(world)}`,
    "",
    "# ./offline/dagger call uses these by itself. For a real engine on this machine:",
    ...exports,
    `dagger call ${flags.join(" ")} release`,
    "",
  ].join("\n")
}

function quoted(text: string): string {
  return /^[\w./:=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/**
 * Gives a module that takes the outside world as arguments (`awsEndpoint`, `gitEndpoint`, `gitRemote`) this checkout's sandbox for
 * those not given, brought up where it doesn't run, and its credentials for the `env://` secrets, so that no real account is
 * reached. Nothing else is filled in, for an engine would not do it either: a linked work tree's git directory is for the caller
 * to pass. Other modules are left alone. Writes into the chain's constructor step and the environment of this process.
 */
export async function fillFromWorld(
  source: ModuleSource,
  chain: Chain,
  addresses: Addresses,
  cwd: string,
  log: Log,
): Promise<void> {
  const step = chain.steps[0]
  if (!step) return
  const isOpen = (arg: ArgumentDef) =>
    !step.given.has(arg.name) && !addresses.has(arg) && !arg.defaultValue?.match(/[^"]/)
  const open = new Set(step.fn.args.filter(isOpen).map(arg => arg.name))
  if (!open.has("awsEndpoint") && !open.has("gitEndpoint")) return
  const fill = (name: string, value: string) => {
    if (!open.has(name)) return
    step.given.set(name, value)
    log(`offline: ${name}=${JSON.stringify(value)}`)
  }
  const repository = sourceFolder(step.given.get("source"), source, cwd)
  const { worldUp } = await import("../machine/world.js")
  const world = await worldUp(CHECKOUT, repository, log)
  fill("awsEndpoint", `tcp://127.0.0.1:${world.emulator.port}`)
  if (open.has("gitEndpoint")) fill("gitRemote", gitUrl(world))
  fill("gitEndpoint", `tcp://127.0.0.1:${world.git.port}`)
  const names = Object.keys(world.env).filter(name =>
    open.has(name.startsWith("AWS_") ? "awsEndpoint" : "gitEndpoint"),
  )
  for (const name of names) process.env[name] = world.env[name]
}

/** The sandbox's git remote, as a URL. */
export function gitUrl(world: World): string {
  return `http://127.0.0.1:${world.git.port}${world.git.path}`
}

/** The folder whose git remote is stood in for: the one given as `--source`, else the module's repository. */
function sourceFolder(given: unknown, source: ModuleSource, cwd: string): string {
  if (typeof given !== "string") return source.root
  const folder = resolve(cwd, given.replace(/^file:\/\//, ""))
  return existsSync(folder) ? folder : source.root
}
