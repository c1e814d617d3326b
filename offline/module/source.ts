import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
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

/** A module on this machine's disk. */
export interface ModuleSource extends ModuleFiles {
  /** The folder of dagger.json. */
  dir: string
  /** The folder that "/" means for the module: the nearest one upward with an entry named .git (folder or file), or `dir`. */
  root: string
}

/**
 * Finds a module: the one at `ref` (a folder, or the dagger.json in it), else the one around `cwd`. Throws, naming what is missing,
 * for none, for one that isn't in TypeScript and for a remote one.
 */
export function findModule(ref: string | undefined, cwd: string): ModuleSource {
  if (ref && /^[a-z+]+:\/\/|^git@|^github\.com\//.test(ref)) {
    throw new Error(
      `${ref} is a remote module: offline, a module must be on this disk. Clone it and pass its folder.`,
    )
  }
  const dir = ref ? folderOf(resolve(cwd, ref)) : findUp(cwd, "dagger.json")
  if (!dir || !existsSync(join(dir, "dagger.json"))) {
    throw new Error(
      `no dagger.json found in ${ref ?? `${cwd} or above it`}. Run this in a module's folder, or pass it with -m.`,
    )
  }
  const config = JSON.parse(readFileSync(join(dir, "dagger.json"), "utf8")) as {
    name: string
    source?: string
    sdk?: string | { source: string }
  }
  const sdk = typeof config.sdk === "string" ? config.sdk : config.sdk?.source
  if (sdk !== "typescript")
    throw new Error(`the module ${config.name} is in ${sdk}: offline, only TypeScript modules run.`)
  const sourceDir = join(dir, config.source ?? ".")
  const files = sourceFiles(join(sourceDir, "src"))
  if (files.length === 0)
    throw new Error(`the module ${config.name} has no .ts file in ${join(sourceDir, "src")}.`)
  return { name: config.name, dir, root: findUp(dir, ".git") ?? dir, sourceDir, files }
}

function folderOf(path: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ? dirname(path) : path
}

/** The nearest folder, from `from` upward, that has an entry of that name. */
export function findUp(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, name))) return folder
    if (folder === dirname(folder)) return undefined
  }
}

function sourceFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile() && /\.m?ts$/.test(entry.name) && !/\.d\.m?ts$/.test(entry.name))
    .map(entry => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
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
