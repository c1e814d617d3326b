import { createHash } from "node:crypto"
import { posix } from "node:path"
import picomatch from "picomatch"
import { notFound, UserError } from "./errors.js"

/** One file, directory or symbolic link of a directory. */
export interface Entry {
  /** Relative, with "/" between names. */
  path: string
  type: "file" | "directory" | "symlink"
  /** Permission bits. */
  mode: number
  uid: number
  gid: number
  /** Of a file: its content in the store. */
  sha?: string
  /** Of a file, in bytes. */
  size?: number
  /** Of a symbolic link. */
  target?: string
}

/** A file: its name and its entry (whose path doesn't count). */
export interface FileValue {
  name: string
  entry: Entry & { sha: string; size: number }
}

/** A directory's content: its entries, parents before children, names in order. Never changed once made. */
export class Manifest {
  readonly entries: readonly Entry[]
  /** Hexadecimal; equal for equal content, owners and permissions. */
  readonly digest: string
  private readonly byPath: Map<string, Entry>

  /** Missing parents are added. A later entry of the same path wins. */
  constructor(entries: readonly Entry[]) {
    this.byPath = new Map()
    for (const entry of entries) {
      this.addParents(entry.path)
      this.byPath.set(entry.path, entry)
    }
    this.entries = [...this.byPath.values()].sort(byPath)
    const hash = createHash("sha256")
    for (const one of this.entries) {
      const { path, type, mode, uid, gid, sha, target } = one
      hash.update(JSON.stringify([path, type, mode, uid, gid, sha ?? target ?? null]))
    }
    this.digest = hash.digest("hex")
  }

  /** The entry at a path after following symbolic links, or undefined. "" isn't an entry: it is the directory itself. */
  find(path: string, depth = 0): Entry | undefined {
    const entry = this.byPath.get(path)
    if (entry && entry.type !== "symlink") return entry
    if (depth > 40) throw new UserError(`${path}: too many levels of symbolic links`)
    const names = path.split("/")
    for (let count = 1; count <= names.length; count++) {
      const link = this.byPath.get(names.slice(0, count).join("/"))
      if (link?.type !== "symlink") continue
      const to = posix.resolve("/", posix.dirname(link.path), link.target ?? "", ...names.slice(count))
      return this.find(to.slice(1), depth + 1)
    }
    return undefined
  }

  /** The names in a directory (in this one by default), directories with a "/" at the end. */
  list(path = ""): string[] {
    const own = this.under(path).filter(entry => !entry.path.includes("/"))
    return own.map(entry => entry.path + (entry.type === "directory" ? "/" : ""))
  }

  /** The entries under a directory, relative to it; `shown` is the path that errors name. Throws if there is none. */
  under(path: string, shown = `/${clean(path)}`): Entry[] {
    const dir = clean(path)
    if (dir === "") return [...this.entries]
    const entry = this.find(dir)
    if (!entry) throw notFound(shown)
    if (entry.type !== "directory") throw new UserError(`path ${shown} is a file, not a directory`)
    const inside = this.entries.filter(one => one.path.startsWith(`${entry.path}/`))
    return inside.map(one => ({ ...one, path: one.path.slice(entry.path.length + 1) }))
  }

  /** The file at a path; `shown` is the path that errors name. Throws if there is none. */
  file(path: string, shown: string): FileValue {
    const entry = this.find(clean(path))
    if (!entry && clean(path) !== "") throw notFound(shown)
    if (entry?.type !== "file") throw new UserError(`path ${shown} is a directory, not a file`)
    return { name: posix.basename(path), entry: entry as FileValue["entry"] }
  }

  /** This directory's entries with others laid over them at a path. */
  with(path: string, added: readonly Entry[]): Entry[] {
    const at = this.real(clean(path))
    const moved = added.map(entry => ({ ...entry, path: at === "" ? entry.path : `${at}/${entry.path}` }))
    const files = new Set(moved.filter(entry => entry.type !== "directory").map(entry => entry.path))
    const kept = this.entries.filter(entry => !withParents(entry.path).some(one => files.has(one)))
    const dir = at === "" || this.byPath.get(at)?.type === "directory" ? [] : [directoryEntry(at)]
    return [...kept, ...dir, ...moved]
  }

  /** This directory's entries without a path and what is under it. */
  without(path: string): Entry[] {
    const gone = clean(path)
    return this.entries.filter(entry => entry.path !== gone && !entry.path.startsWith(`${gone}/`))
  }

  /** The entries that patterns let through; a directory stays when it matches or something in it stays. */
  filter(include: string[], exclude: string[]): Entry[] {
    const wanted: Matcher = include.length > 0 ? matcher(include) : () => true
    const unwanted = matcher(exclude)
    const chosen = this.entries.filter(({ path }) => wanted(path) && !unwanted(path))
    const kept = new Set(chosen.flatMap(({ path }) => withParents(path)))
    return this.entries.filter(({ path }) => kept.has(path))
  }

  private addParents(path: string): void {
    const parent = posix.dirname(path)
    if (parent === "." || this.byPath.get(parent)?.type === "directory") return
    this.addParents(parent)
    this.byPath.set(parent, directoryEntry(parent))
  }

  /** The path with links in its existing parents followed. */
  private real(path: string): string {
    const entry = this.find(path)
    if (path === "" || entry) return entry?.path ?? ""
    const parent = this.real(clean(posix.dirname(path)))
    return parent === "" ? posix.basename(path) : `${parent}/${posix.basename(path)}`
  }
}

/** A directory as made by default. */
export function directoryEntry(path: string, mode = 0o755): Entry {
  return { path, type: "directory", mode, uid: 0, gid: 0 }
}

/** The path relative to the directory's root, without "." and "..": nothing leads out of it. */
export function clean(path: string): string {
  return posix.resolve("/", path).slice(1)
}

function byPath(a: Entry, b: Entry): number {
  const left = a.path.replaceAll("/", "\0")
  const right = b.path.replaceAll("/", "\0")
  return left < right ? -1 : left > right ? 1 : 0
}

/** Says whether a path (relative, "/" between names) matches. */
export type Matcher = (path: string) => boolean

/** Patterns are globs as in .dockerignore: no braces, no extended globs, "*" stays within a name. */
const OPTIONS = { dot: true, nobrace: true, noextglob: true, nonegate: true, nocase: false } as const

/**
 * Matches as .dockerignore does: a pattern means a path and all under it, a later pattern outweighs an earlier one, and
 * "!" before one takes paths out again.
 */
export function matcher(patterns: readonly string[]): Matcher {
  const tests = patterns.map(pattern => {
    const negated = pattern.startsWith("!")
    return { negated, test: glob(negated ? pattern.slice(1) : pattern) }
  })
  return path => {
    const paths = withParents(path)
    let matched = false
    for (const { negated, test } of tests) {
      if (matched === negated && paths.some(test)) matched = !negated
    }
    return matched
  }
}

/** Matches one glob against whole paths. */
export function glob(pattern: string): Matcher {
  const cleaned = pattern.trim().replace(/^\/+/, "").replace(/\/+$/, "")
  const test = picomatch(cleaned === "" ? "." : cleaned, OPTIONS)
  return path => test(path)
}

/** A path after the paths of its parents. */
function withParents(path: string): string[] {
  const names = path.split("/")
  return names.map((_, index) => names.slice(0, index + 1).join("/"))
}
