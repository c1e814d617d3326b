import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { readKept, writeKept } from "../../machine/kept.js"
import type { ModuleFiles } from "./process.js"
import type { SdkFiles } from "./sdk.js"
import type { ModuleDef } from "./types.js"

/** Raised when what is kept changes its form. */
const FORM = 1

/**
 * A module's types. To ask the module takes seconds, so the answer is kept under the hash of its sources. `log` is told before
 * it is asked. Throws where the module doesn't load.
 */
export async function moduleTypes(
  module: ModuleFiles,
  sdk: SdkFiles,
  stateDir: string,
  log: (line: string) => void,
): Promise<ModuleDef> {
  const folder = join(stateDir, "modules", module.name)
  const path = join(folder, `${sourcesHash(module, sdk)}.json`)
  const kept = readKept<ModuleDef>(path)
  if (kept) return kept
  log(`module ${module.name}: reading its types…`)
  const { describe } = await import("./run.js")
  const types = await describe(module, sdk)
  // What is known of older sources goes.
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeKept(path, types)
  return types
}

/** Equal as long as the module's sources and the SDK are. */
export function sourcesHash(module: ModuleFiles, sdk: SdkFiles): string {
  const hash = createHash("sha256").update(JSON.stringify([FORM, sdk.version, module.name]))
  for (const file of module.files)
    hash.update(`\0${file.slice(module.sourceDir.length)}\0`).update(readFileSync(file))
  return hash.digest("hex")
}
