import { cpSync, existsSync, mkdirSync, readdirSync } from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import picomatch from "picomatch"
import type { FileSet } from "./buildspec.js"
import { BuildError } from "./errors.js"

/**
 * Copies the files that a set names from the source to `target`, and gives their paths there, sorted. `*` matches within
 * one name, `**` across folders; the base directory's own name may hold `*`, and is left out of the paths.
 *
 * @throws BuildError in CodeBuild's words where the base directory or every file is missing
 */
export function collect(set: FileSet, source: string, target: string, what: "artifact" | "report"): string[] {
  const bases = baseDirectories(set.baseDirectory, source)
  if (bases.length === 0)
    throw new BuildError(`no matching base directory path found for ${set.baseDirectory}`)
  const matches = picomatch(
    set.files.map(file => file.replace(/^\.\//, "")),
    { dot: true },
  )
  const copied = new Set<string>()
  for (const base of bases) {
    for (const file of filesIn(base)) {
      const path = relative(base, file)
      if (!matches(path)) continue
      const name = set.discardPaths ? basename(path) : path
      mkdirSync(dirname(join(target, name)), { recursive: true })
      cpSync(file, join(target, name))
      copied.add(name)
    }
  }
  if (copied.size === 0) throw new BuildError(`no matching ${what} paths found`)
  return [...copied].sort()
}

function baseDirectories(pattern: string, source: string): string[] {
  const exact = resolve(source, pattern)
  if (existsSync(exact)) return [exact]
  const matches = picomatch(pattern)
  const folders = readdirSync(source, { withFileTypes: true }).filter(entry => entry.isDirectory())
  return folders.filter(({ name }) => matches(name)).map(({ name }) => join(source, name))
}

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath ?? entry.path, entry.name))
}
