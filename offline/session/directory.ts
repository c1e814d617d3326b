import { lstatSync, mkdirSync, rmSync } from "node:fs"
import { basename, dirname, join, posix, resolve } from "node:path"
import { dockerBuild } from "./build.js"
import { UserError } from "./errors.js"
import { clean, directoryEntry, type Entry, type FileValue, glob, type Manifest } from "./manifest.js"
import { directoryAt, readAt } from "./rootfs.js"
import type { Args, DirectoryValue, Field, Fields, Session } from "./session.js"
import { writeEntry, writeTree } from "./tree.js"

/** Query.directory: an empty one. */
export const directory: Field = (session): DirectoryValue => made(session, [])

/** The part of a directory that patterns let through. */
export function filtered(
  session: Session,
  source: DirectoryValue,
  { include, exclude }: Record<string, string[]>,
) {
  if (!include?.length && !exclude?.length) return source
  const load = async () =>
    session.store.putManifest((await source.load()).filter(include ?? [], exclude ?? []))
  return { name: source.name, load }
}

function made(session: Session, entries: Entry[]): DirectoryValue {
  const manifest = session.store.putManifest(entries)
  return { name: "/", load: async () => manifest }
}

/** A field that gives a directory with other entries. */
function change(
  make: (manifest: Manifest, args: Args, session: Session) => Entry[] | Promise<Entry[]>,
): Field {
  return async (session, parent: DirectoryValue, args) =>
    made(session, await make(await parent.load(), args, session))
}

/** The manifest with a file at a path. */
function withFile(manifest: Manifest, path: string, entry: Omit<Entry, "path">): Entry[] {
  const target = clean(path)
  if (target === "") throw new UserError(`path ${path} is not a file path`)
  return manifest.with(posix.dirname(`/${target}`), [{ ...entry, path: basename(target) }])
}

/** Directory.export: writes the files over a directory of the host (replacing it, with `wipe`); gives its path. */
export const exportDirectory: Field = async (session, parent: DirectoryValue, { path, wipe }) => {
  const { entries } = await parent.load()
  const target = resolve(path)
  if (wipe) rmSync(target, { recursive: true, force: true })
  writeTree(session.store, entries, target)
  return target
}

/** Fields of Directory. */
export const directoryFields: Fields[string] = {
  dockerBuild,
  export: exportDirectory,
  sync: async (_, parent: DirectoryValue) => void (await parent.load()),
  name: (_, { name }: DirectoryValue) => (name.endsWith("/") ? name : `${name}/`),
  digest: async (_, parent: DirectoryValue) => `sha256:${(await parent.load()).digest}`,
  entries: async (_, parent: DirectoryValue, { path }) => (await parent.load()).list(path ?? ""),
  glob: async (_, parent: DirectoryValue, { pattern }) => {
    const matches = glob(pattern)
    const found = (await parent.load()).entries.filter(({ path }) => matches(path))
    return found.map(({ path, type }) => (type === "directory" ? `${path}/` : path))
  },
  exists: async (_, parent: DirectoryValue, { path }) => {
    const target = clean(path)
    return target === "" || (await parent.load()).find(target) !== undefined
  },
  file: async (session, parent: DirectoryValue, { path }) => {
    const { origin } = parent
    if (origin) return readAt(session, origin.container, posix.join(origin.path, `/${clean(path)}`))
    return (await parent.load()).file(path, posix.join("/", path))
  },
  directory: (session, parent: DirectoryValue, { path }) => {
    const { origin } = parent
    if (origin) return directoryAt(session, origin.container, posix.join(origin.path, `/${clean(path)}`))
    const load = async () =>
      session.store.putManifest((await parent.load()).under(path, posix.join("/", path)))
    return { name: basename(clean(path)), load }
  },
  filter: (session, parent: DirectoryValue, args) => filtered(session, parent, args),
  withNewFile: change((manifest, { path, contents, permissions }, session) => {
    const blob = session.store.putBuffer(contents)
    return withFile(manifest, path, { ...blob, type: "file", mode: permissions ?? 0o644, uid: 0, gid: 0 })
  }),
  withFile: change((manifest, { path, source, permissions }) => {
    const to = path.endsWith("/") ? posix.join(path, source.name) : path
    return withFile(manifest, to, { ...source.entry, mode: permissions ?? source.entry.mode })
  }),
  withNewDirectory: change((manifest, { path, permissions }) => {
    const target = clean(path)
    if (target === "") return [...manifest.entries]
    return manifest.with("", [directoryEntry(target, permissions ?? 0o755)])
  }),
  withDirectory: change(async (manifest, args, session) =>
    manifest.with(args.path, (await filtered(session, args.source, args).load()).entries),
  ),
  withoutFile: change((manifest, { path }) => manifest.without(path)),
  withoutDirectory: change((manifest, { path }) => manifest.without(path)),
}

/** Query.file: a new one. */
export const file: Field = (session, _, { name, contents, permissions }): FileValue => {
  const blob = session.store.putBuffer(contents)
  return { name, entry: { ...directoryEntry(""), ...blob, type: "file", mode: permissions ?? 0o644 } }
}

/** File.export: writes the file to the host, into `path` if that is a directory and the caller allows it. */
export const exportFile: Field = (session, { name, entry }: FileValue, { path, allowParentDirPath }) => {
  let target = resolve(path)
  if (lstatSync(target, { throwIfNoEntry: false })?.isDirectory()) {
    if (!allowParentDirPath) {
      throw new UserError(`destination ${path} is a directory: allowParentDirPath writes the file into it`)
    }
    target = join(target, name)
  }
  mkdirSync(dirname(target), { recursive: true })
  writeEntry(session.store, { ...entry, path: "" }, target)
  return target
}

/** Fields of File. */
export const fileFields: Fields[string] = {
  contents: (session, { entry }: FileValue) => session.store.read(entry.sha).toString(),
  name: (_, { name }: FileValue) => name,
  size: (_, { entry }: FileValue) => entry.size,
  sync: () => undefined,
  export: exportFile,
}
