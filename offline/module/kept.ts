import { createHash } from "node:crypto"
import { existsSync, mkdirSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { cached, readKept, writeKept } from "../machine/kept.js"
import { decodeId } from "../session/recipe.js"
import type { SdkFiles } from "./sdk.js"
import { type ModuleFiles, sourcesHash } from "./source.js"
import type { ModuleDef } from "./types.js"

/**
 * A module's types. Asking the module takes seconds, so the answer is kept in `cache` under the hash of its sources. `log` is called
 * before it is asked. Throws if the module doesn't load.
 */
export function moduleTypes(
  module: ModuleFiles,
  sdk: SdkFiles,
  cache: string,
  log: (line: string) => void,
): Promise<ModuleDef> {
  return cached(join(cache, "modules", module.name), sourcesHash(module, sdk), async () => {
    log(`module ${module.name}: reading its types…`)
    const { describe } = await import("./run.js")
    return describe(module, sdk)
  })
}

/**
 * The results of constructors. An engine caches them, because a constructor should depend on nothing but its arguments, and so does this:
 * by the module's sources and the arguments. A result that sets a secret is not cached, because that secret ends with its session.
 */
export class Constructed {
  private readonly folder: string

  /** `sources` is the hash of the module's sources; what is known of older ones is deleted. */
  constructor(stateDir: string, module: string, sources: string) {
    const all = join(stateDir, "constructed", module)
    this.folder = join(all, sources)
    if (existsSync(all) && !existsSync(this.folder)) rmSync(all, { recursive: true, force: true })
  }

  /** True if there is a result for any arguments: the next call's arguments are probably the same. */
  get any(): boolean {
    return existsSync(this.folder)
  }

  /** The state kept for these arguments, or undefined. */
  find(args: Record<string, unknown>): unknown {
    return readKept(this.path(args))
  }

  keep(args: Record<string, unknown>, state: unknown): void {
    if (setsSecret(state)) return
    const path = this.path(args)
    mkdirSync(dirname(path), { recursive: true })
    writeKept(path, state)
  }

  private path(args: Record<string, unknown>): string {
    return join(this.folder, `${createHash("sha256").update(JSON.stringify(args)).digest("hex")}.json`)
  }
}

/** True if an ID in the state contains a `setSecret`. */
function setsSecret(state: unknown): boolean {
  if (typeof state === "string") return isId(state) && Buffer.from(state, "base64").includes('"setSecret"')
  return state !== null && typeof state === "object" && Object.values(state).some(setsSecret)
}

function isId(text: string): boolean {
  try {
    decodeId(text)
    return true
  } catch {
    return false
  }
}
