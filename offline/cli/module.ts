import { resolve } from "node:path"
import { moduleTypes } from "../session/module/keep.js"
import { type SdkFiles, sdkFiles } from "../session/module/sdk.js"
import { findModule, type ModuleSource } from "../session/module/source.js"
import { Api } from "./api.js"
import { CliError } from "./errors.js"
import type { Globals } from "./globals.js"
import { coreApi } from "./keptCore.js"
import { STATE_DIR } from "./place.js"
import type { Log } from "./progress.js"
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
