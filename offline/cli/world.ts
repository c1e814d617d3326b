import { existsSync } from "node:fs"
import { resolve } from "node:path"
import type { ModuleSource } from "../session/module/source.js"
import type { ArgumentDef } from "../session/module/types.js"
import type { Chain } from "./chain.js"
import { STATE_DIR } from "./place.js"
import type { Log } from "./progress.js"
import type { Addresses } from "./userDefaults.js"

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
  const { gitUrl, worldUp } = await import("../sandbox.js")
  const world = await worldUp(STATE_DIR, repository, log)
  fill("awsEndpoint", `tcp://127.0.0.1:${world.emulator.port}`)
  if (open.has("gitEndpoint")) fill("gitRemote", gitUrl(world))
  fill("gitEndpoint", `tcp://127.0.0.1:${world.git.port}`)
  const names = Object.keys(world.env).filter(name =>
    open.has(name.startsWith("AWS_") ? "awsEndpoint" : "gitEndpoint"),
  )
  for (const name of names) process.env[name] = world.env[name]
}

/** The folder whose git remote is stood in for: the one given as `--source`, else the module's repository. */
function sourceFolder(given: unknown, source: ModuleSource, cwd: string): string {
  if (typeof given !== "string") return source.root
  const folder = resolve(cwd, given.replace(/^file:\/\//, ""))
  return existsSync(folder) ? folder : source.root
}
