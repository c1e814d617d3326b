import { resolve } from "node:path"
import { checkoutCache, checkoutHome } from "../machine/home.js"
import { moduleTypes } from "../module/kept.js"
import { type SdkFiles, sdkFiles } from "../module/sdk.js"
import { findModule, type ModuleSource } from "../module/source.js"
import { Api, coreApi, kebab } from "./api.js"
import type { Globals } from "./commands.js"
import { CliError } from "./errors.js"
import { functionList } from "./help.js"
import { ROOT } from "./sockets.mjs"
import { type Addresses, withUserDefaults } from "./user-defaults.js"

/** Where this checkout keeps its offline state: emulator, git remote, sessions' contents. */
export function stateDir(): string {
  return checkoutHome(ROOT)
}

/** A module ready to be called. */
export interface Loaded {
  source: ModuleSource
  sdk: SdkFiles
  api: Api
  addresses: Addresses
  /** The lines about user defaults on standard error; they are printed even with --silent, as in the real CLI. */
  announcements: string[]
}

/** Loads the module that the flags name, with the user's defaults. Throws CliError. */
export async function loadModule(globals: Globals, log: Log): Promise<Loaded> {
  const cwd = resolve(globals.workdir ?? ".")
  const cache = checkoutCache(ROOT)
  try {
    const source = findModule(globals.mod, cwd)
    const sdk = await sdkFiles(cache)
    const types = await moduleTypes(source, sdk, cache, log)
    const { module, ...defaults } = withUserDefaults(source.name, types, source.dir, cwd)
    return { source, sdk, api: new Api(source.name, module, await coreApi(cache)), ...defaults }
  } catch (error) {
    throw error instanceof CliError ? error : new CliError((error as Error).message)
  }
}

/** `dagger functions [function]...`: lists the functions of the module, or of what a chain of functions returns. */
export async function functions(names: readonly string[], globals: Globals): Promise<number> {
  const { api, announcements } = await loadModule(globals, progressLog(globals))
  for (const line of announcements) process.stderr.write(`${line}\n`)
  let fn = api.create
  for (const name of names) {
    const next = api.following(fn).find(one => one.name === name || kebab(one.name) === name)
    if (!next) throw new CliError(`no function "${name}" in type "${fn.returns.name ?? fn.returns.kind}"`)
    fn = next
  }
  process.stdout.write(functionList(api.following(fn)))
  return 0
}

/** Takes one line of progress; `detail` marks the commands in containers and their output. */
export type Log = (line: string, detail?: boolean) => void

/**
 * Progress goes to standard error line by line as it happens, and nowhere with --silent. Details are shown with --verbose.
 * Only the first line of a script is shown.
 */
export function progressLog({ silent, verbose }: Globals): Log {
  return (line, detail = false) => {
    if (!silent && (!detail || verbose)) process.stderr.write(`${line.replace(/\s*\n[\s\S]*$/, " …")}\n`)
  }
}
