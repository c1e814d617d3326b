import { execFile } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import { promisify } from "node:util"
import { engineVersion } from "./engine.js"
import { notFound, UserError } from "./errors.js"
import type { FileValue, Manifest } from "./manifest.js"
import { Recipe } from "./recipe.js"
import { hostService } from "./service.js"
import type { DirectoryValue, Field, Fields, SecretValue, Session, SocketValue } from "./session.js"
import { keyOf } from "./store.js"
import { type Known, listFolder, readFolder, type Seen } from "./tree.js"

/** Fields of Host: what a session may take from the machine it runs on. */
export const hostFields: Fields[string] = {
  directory: async (session, _, { path, include, exclude }): Promise<DirectoryValue> => {
    const manifest = await readTree(session, resolve(path), include, exclude)
    return { name: basename(resolve(path)), load: async () => manifest }
  },
  file: async (session, _, { path }): Promise<FileValue> => {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (!stat) throw notFound(path)
    if (!stat.isFile()) throw new UserError(`path ${path} is a directory, not a file`)
    const entry = { path: "", type: "file", mode: stat.mode & 0o777, uid: 0, gid: 0 } as const
    return { name: basename(path), entry: { ...entry, ...(await session.store.putFile(path)) } }
  },
  unixSocket: (_, __, { path }): SocketValue => ({ path: resolve(path) }),
  service: hostService,
}

/** The record of a folder: its digest, and the stamps of its files. */
interface Kept {
  digest: string
  stamps: { [path: string]: string }
}

/**
 * Reads a folder of the host into the store, with root as the owner. Files that weren't touched since the last time aren't read again;
 * a file touched within the last second may change again without a new timestamp, so it doesn't count as known.
 */
async function readTree(
  session: Session,
  root: string,
  include: string[],
  exclude: string[],
): Promise<Manifest> {
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) throw notFound(root)
  const seen = listFolder(root, exclude)
  const settled = Date.now() - 1000
  const key = keyOf("host", root, exclude)
  const kept = session.store.get<Kept>("hosts", key)
  const before = kept && session.store.getManifest(kept.digest)
  const known: Known = new Map()
  for (const entry of before?.entries ?? []) {
    known.set(entry.path, { stamp: kept?.stamps[entry.path] ?? "", entry })
  }
  const same =
    before && seen.length === known.size && seen.every(one => known.get(one.path)?.stamp === one.stamp)
  const all = same ? before : await read(session, root, seen, known)
  if (!same) {
    const stamps = seen.filter(one => one.touched < settled).map(one => [one.path, one.stamp])
    session.store.put("hosts", key, { digest: all.digest, stamps: Object.fromEntries(stamps) })
  }
  const whole = include.length + exclude.length === 0
  return whole ? all : session.store.putManifest(all.filter(include, exclude))
}

async function read(session: Session, root: string, seen: Seen[], known: Known): Promise<Manifest> {
  const entries = await readFolder(session.store, root, seen, known)
  return session.store.putManifest(
    entries.map(entry => ({ ...entry, uid: 0, gid: 0, mode: entry.mode & 0o777 })),
  )
}

/** The caller's repository, or its folder if that isn't in one. */
interface WorkspaceValue {
  /** What "/" means: the nearest folder upward with an entry named .git. */
  root: string
  /** What "." means, from the root: the caller's folder; to engine v0.20.0 the root. */
  path: string
}

/** The workspace around a folder, as a recipe that says which it is: calls from two repositories are two calls. */
export function findWorkspace(folder: string): Recipe {
  let root = folder
  while (!existsSync(join(root, ".git")) && root !== dirname(root)) root = dirname(root)
  if (!existsSync(join(root, ".git"))) root = folder
  const path = engineVersion() === "v0.20.0" ? "." : relative(root, folder) || "."
  return new Recipe("Workspace", "currentWorkspace", { root, path })
}

/** Query.currentWorkspace, by the recipe that findWorkspace gave. */
export const currentWorkspace: Field = (_, __, { root, path }): WorkspaceValue => ({ root, path })

/** Fields of Workspace. */
export const workspaceFields: Fields[string] = {
  directory: (session, workspace: WorkspaceValue, { path, ...filter }, recipe) =>
    hostFields.directory?.(session, undefined, { ...filter, path: within(workspace, path) }, recipe),
  file: (session, workspace: WorkspaceValue, { path }, recipe) =>
    hostFields.file?.(session, undefined, { path: within(workspace, path) }, recipe),
  findUp: (_, workspace: WorkspaceValue, { name, from }) => {
    for (let folder = within(workspace, from); ; folder = dirname(folder)) {
      const found = relative(workspace.root, join(folder, name))
      if (existsSync(join(folder, name))) return engineVersion() === "v0.20.0" ? found : `/${found}`
      if (folder === workspace.root) return null
    }
  },
}

/** A path of a workspace on the host: "/…" is from the root, others from the workspace's own folder. */
function within({ root, path }: WorkspaceValue, wanted: string): string {
  const full = wanted.startsWith("/") ? join(root, wanted) : resolve(root, path, wanted)
  if (/^\.\.(\/|$)/.test(relative(root, full))) {
    throw new UserError(`path ${JSON.stringify(wanted)} is outside of the workspace ${root}`)
  }
  return full
}

/**
 * Keeps a secret's plain value in the session's memory and gives a recipe that only names it: neither the value nor a bare
 * hash of it is in an ID.
 */
export function keepSecret(session: Session, name: string, plaintext: string): Recipe {
  const fingerprint = session.store.fingerprint(plaintext)
  session.secrets.set(fingerprint, plaintext)
  return new Recipe("Secret", "setSecret", { name, fingerprint })
}

/** Query.setSecret, by the recipe that keepSecret gave. */
export const setSecret: Field = (session, _, { name, fingerprint }): SecretValue => ({
  ...{ name, uri: "" },
  plaintext: async () => {
    const plaintext = session.secrets.get(fingerprint)
    if (plaintext === undefined) throw new UserError(`secret ${name} was not set in this session`)
    return plaintext
  },
  fingerprint: async () => fingerprint,
})

/** Query.secret: one of the host. A command runs each time that the value is asked for; other values are read once. */
export const secret: Field = (session, _, { uri }: { uri: string }): SecretValue => {
  const [, scheme = "", rest = ""] = /^([a-z]+):\/\/(.*)$/s.exec(uri) ?? []
  const read = PROVIDERS[scheme]
  if (!read)
    throw new UserError(`unsupported secret provider: "${scheme}" (supported here: env://, file://, cmd://)`)
  let value: Promise<string> | undefined
  const plaintext = () => {
    if (scheme === "cmd") return read(rest)
    value ??= read(rest)
    return value
  }
  return { name: "", uri, plaintext, fingerprint: async () => session.store.fingerprint(await plaintext()) }
}

const PROVIDERS: Record<string, (rest: string) => Promise<string>> = {
  env: async name => {
    const value = process.env[name]
    if (value === undefined) throw new UserError(`secret env var not found: "${name}"`)
    return value
  },
  file: async path => {
    try {
      return readFileSync(path.replace(/^~(?=\/)/, process.env.HOME ?? "~"), "utf8")
    } catch (error) {
      throw new UserError(`secret file not readable: "${path}" (${(error as NodeJS.ErrnoException).code})`)
    }
  },
  cmd: async command => {
    try {
      return (await promisify(execFile)("sh", ["-c", command])).stdout
    } catch {
      throw new UserError(`secret command failed: "${command}". Run it by hand to see why.`)
    }
  },
}

/** Fields of Secret. */
export const secretFields: Fields[string] = {
  name: (_, { name }: SecretValue) => name,
  uri: (_, { uri }: SecretValue) => uri,
  plaintext: (_, { plaintext }: SecretValue) => plaintext(),
}
