import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import type { SdkFiles } from "./sdk.js"

/** A module as its process needs to know it. */
export interface ModuleFiles {
  /** As in dagger.json. */
  name: string
  /** The folder that holds `src`; the process works in it. */
  sourceDir: string
  /** Absolute, sorted. */
  files: string[]
}

/** Increased when the format of what is kept changes. */
const FORM = 2

/** Equal as long as the module's sources and the SDK are. */
export function sourcesHash(module: ModuleFiles, sdk: SdkFiles): string {
  const hash = createHash("sha256").update(JSON.stringify([FORM, sdk.version, module.name]))
  for (const file of module.files)
    hash.update(`\0${file.slice(module.sourceDir.length)}\0`).update(readFileSync(file))
  return hash.digest("hex")
}
