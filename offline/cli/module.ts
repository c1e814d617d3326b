import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { checkoutHome } from "../machine/home.js"
import { moduleTypes } from "../session/module/keep.js"
import { type SdkFiles, sdkFiles } from "../session/module/sdk.js"
import { findModule, type ModuleSource } from "../session/module/source.js"
import type { ObjectDef } from "../session/module/types.js"
import { Api, coreApi, kebab } from "./api.js"
import type { Globals } from "./commands.js"
import { CliError } from "./errors.js"
import { functionList, layoutOf } from "./help.js"
import { type Addresses, withUserDefaults } from "./userDefaults.js"

/** A module ready to be called. */
export interface Loaded {
  source: ModuleSource
  sdk: SdkFiles
  api: Api
  addresses: Addresses
}

/**
 * Loads the module that the flags name, with the user's defaults, which are announced on standard error (even with --silent, as
 * the real CLI does). Throws CliError.
 */
export async function loadModule(globals: Globals, log: Log): Promise<Loaded> {
  const cwd = resolve(globals.workdir ?? ".")
  try {
    const source = findModule(globals.mod, cwd)
    const sdk = await sdkFiles(STATE_DIR)
    const types = await moduleTypes(source, sdk, STATE_DIR, log)
    const { module, addresses, announcements } = withUserDefaults(source.name, types, source.dir, cwd)
    for (const line of announcements) process.stderr.write(`${line}\n`)
    return { source, sdk, api: new Api(source.name, module, await coreApi(STATE_DIR)), addresses }
  } catch (error) {
    throw error instanceof CliError ? error : new CliError((error as Error).message)
  }
}

/** `dagger functions [function]...`: lists the functions of the module, or of what a chain of functions returns. */
export async function functions(names: readonly string[], globals: Globals): Promise<number> {
  const { api } = await loadModule(globals, progressLog(globals))
  let object: ObjectDef = api.mainObject
  for (const name of names) {
    const { supported, skipped } = api.functions(object)
    const fn = supported.find(one => one.name === name || kebab(one.name) === name)
    if (!fn && skipped.includes(kebab(name))) {
      throw new CliError(`function "${name}" in type "${object.name}" is not supported`, { bare: true })
    }
    if (!fn) throw new CliError(`no function "${name}" in type "${object.name}"`, { bare: true })
    const type = fn.returns.kind === "LIST" ? fn.returns.element : fn.returns
    const next = type?.kind === "OBJECT" ? api.object(type.name) : undefined
    if (!next) {
      const message = `function "${name}" returns type "${fn.returns.kind}_KIND" with no further functions available`
      throw new CliError(message, { bare: true })
    }
    object = next
  }
  const { supported, skipped } = api.functions(object)
  if (supported.length === 0) process.stderr.write("No functions found.\n")
  else process.stdout.write(functionList(supported, skipped, layoutOf(process.stdout)))
  return 0
}

/** The checkout's folder. */
export const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "")
/** Where this checkout keeps what it makes offline: emulator, git remote, sessions' contents, modules' types. */
export const STATE_DIR = checkoutHome(CHECKOUT)

/** Takes one line of progress; `detail` marks the commands in containers and their output. */
export type Log = (line: string, detail?: boolean) => void

/**
 * Progress goes to standard error line by line as it happens, and nowhere with --silent. Details are shown with --verbose.
 * Of a script its first line is told.
 */
export function progressLog(globals: Globals): Log {
  return (line, detail = false) => {
    if (!globals.silent && (!detail || globals.verbose > 0))
      process.stderr.write(`${line.replace(/\s*\n[\s\S]*$/, " …")}\n`)
  }
}
