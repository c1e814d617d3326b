import { createHash } from "node:crypto"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { readKept, writeKept } from "../machine/kept.js"
import type { CoreApi } from "./api.js"

const SCHEMA = new URL("../session/schema.graphql", import.meta.url)
const READER = new URL("core.ts", import.meta.url)

/** The core API's types. They are kept under the schema's hash, since to read a schema takes longer than the rest of a help page. */
export async function coreApi(stateDir: string): Promise<CoreApi> {
  const schema = readFileSync(SCHEMA, "utf8")
  const hash = createHash("sha256").update(schema).update(readFileSync(READER)).digest("hex")
  const path = join(stateDir, "core", `${hash}.json`)
  const kept = readKept<CoreApi>(path)
  if (kept) return kept
  const { readCoreApi } = await import("./core.js")
  const api = readCoreApi(schema)
  mkdirSync(join(stateDir, "core"), { recursive: true })
  writeKept(path, api)
  return api
}
