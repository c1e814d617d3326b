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

  /** The entry at a path after following symbolic links, or undefined. "" is no entry: it is the directory itself. */
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
    const dir = this.directoryPath(path)
    const prefix = dir === "" ? "" : `${dir}/`
    return this.entries
      .filter(entry => entry.path.startsWith(prefix) && !entry.path.slice(prefix.length).includes("/"))
      .filter(entry => entry.path !== dir)
      .map(entry => entry.path.slice(prefix.length) + (entry.type === "directory" ? "/" : ""))
  }

  /** The entries under a directory, relative to it. Throws where there is none. */
  under(path: string): Entry[] {
    const dir = this.directoryPath(path)
    if (dir === "") return [...this.entries]
    const inside = this.entries.filter(entry => entry.path.startsWith(`${dir}/`))
    return inside.map(entry => ({ ...entry, path: entry.path.slice(dir.length + 1) }))
  }

  /** This directory's entries with others laid over them at a path. */
  with(path: string, added: readonly Entry[]): Entry[] {
    const at = this.real(clean(path))
    const moved = added.map(entry => ({ ...entry, path: at === "" ? entry.path : `${at}/${entry.path}` }))
    const files = new Set(moved.filter(entry => entry.type !== "directory").map(entry => entry.path))
    const kept = this.entries.filter(entry => !files.has(entry.path) && !within(entry.path, files))
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
    const kept = this.entries.filter(({ path }) => wanted(path) && !unwanted(path))
    return [...new Manifest(kept.flatMap(entry => this.withOwnParents(entry))).entries]
  }

  private withOwnParents(entry: Entry): Entry[] {
    const names = entry.path.split("/")
    const parents = names.slice(1).map((_, index) => this.byPath.get(names.slice(0, index + 1).join("/")))
    return [...parents.filter(parent => parent !== undefined), entry]
  }

  private addParents(path: string): void {
    const parent = posix.dirname(path)
    if (parent === "." || this.byPath.get(parent)?.type === "directory") return
    this.addParents(parent)
    this.byPath.set(parent, directoryEntry(parent))
  }

  private directoryPath(path: string): string {
    const dir = clean(path)
    if (dir === "") return ""
    const entry = this.find(dir)
    if (!entry) throw notFound(`/${dir}`)
    if (entry.type !== "directory") throw new UserError(`path ${path} is a file, not a directory`)
    return entry.path
  }

  /** The path with links in its existing parents followed. */
  private real(path: string): string {
    const entry = this.find(path)
    if (path === "" || entry) return entry?.path ?? ""
    const parent = this.real(clean(posix.dirname(path)))
    return parent === "" ? posix.basename(path) : `${parent}/${posix.basename(path)}`
  }
}

/** A directory as made when nobody says otherwise. */
export function directoryEntry(path: string, mode = 0o755): Entry {
  return { path, type: "directory", mode, uid: 0, gid: 0 }
}

/** The path relative to the directory's root, without "." and "..": nothing leads out of it. */
export function clean(path: string): string {
  return posix.resolve("/", path).slice(1)
}

function within(path: string, tops: Set<string>): boolean {
  for (let end = path.indexOf("/"); end > 0; end = path.indexOf("/", end + 1)) {
    if (tops.has(path.slice(0, end))) return true
  }
  return false
}

function byPath(a: Entry, b: Entry): number {
  const left = a.path.replaceAll("/", "\0")
  const right = b.path.replaceAll("/", "\0")
  return left < right ? -1 : left > right ? 1 : 0
}

/** The entries of a part of a directory; `shown` is the path that errors name. Throws where there is none. */
export function directoryIn(manifest: Manifest, path: string, shown: string): Entry[] {
  const entry = manifest.find(path)
  if (path !== "" && !entry) throw notFound(shown)
  if (entry && entry.type !== "directory") throw new UserError(`path ${shown} is a file, not a directory`)
  return manifest.under(path)
}

/** A file of a directory; `shown` is the path that errors name. Throws where there is none. */
export function fileIn(manifest: Manifest, path: string, shown: string): FileValue {
  const entry = manifest.find(path)
  if (path !== "" && !entry) throw notFound(shown)
  if (entry?.type !== "file") throw new UserError(`path ${shown} is a directory, not a file`)
  return { name: posix.basename(path), entry: entry as FileValue["entry"] }
}

/** Tells whether a path (relative, "/" between names) is meant. */
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

function withParents(path: string): string[] {
  const names = path.split("/")
  return names.map((_, index) => names.slice(0, index + 1).join("/"))
}
