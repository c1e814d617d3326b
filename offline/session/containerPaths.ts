import { posix } from "node:path"
import { changeFiles, directoryAt, inContainer, readAt } from "./containerFiles.js"
import { filtered } from "./directory.js"
import type { Entry } from "./manifest.js"
import { readDirectory } from "./rootfs.js"
import type { Args, Field, Fields, Session } from "./session.js"
import type { ContainerValue, DirectoryValue, Edit, FileValue, Mount } from "./values.js"

/** A field that changes files at a path. */
function changing(make: (path: string, args: Args, session: Session) => Edit | Promise<Edit>): Field {
  return async (session, container: ContainerValue, args) =>
    changeFiles(session, container, await make(inContainer(container, args.path), args, session))
}

/** A field that mounts something at a path, in place of what is mounted there. */
function mounting(make: (args: Args) => object | Promise<object>): Field {
  return async (_, container: ContainerValue, args) => {
    const path = inContainer(container, args.path)
    const mount = { path, ...(await make(args)) } as Mount
    return { ...container, mounts: [...container.mounts.filter(one => one.path !== path), mount] }
  }
}

/** The edit that puts a file at a path. */
function putAt(path: string, file: Omit<Entry, "path">): Edit {
  return { at: posix.dirname(path), put: [{ ...file, path: posix.basename(path) }] }
}

const remove = changing(path => ({ remove: path }))

/** Fields of Container that read and change files, and mount. */
export const pathFields: Fields[string] = {
  file: (session, container: ContainerValue, { path }) => readAt(session, container, path),
  directory: (session, container: ContainerValue, { path }) => directoryAt(session, container, path),
  rootfs: (session, container: ContainerValue): DirectoryValue => ({
    name: "/",
    origin: { container: { ...container, mounts: [] }, path: "/" },
    load: () => readDirectory(session, container, "/"),
  }),
  withNewFile: changing((path, { contents, permissions }, session) => {
    const blob = session.store.putBuffer(contents)
    return putAt(path, { ...blob, type: "file", mode: permissions ?? 0o644, uid: 0, gid: 0 })
  }),
  withFile: changing((path, args) => {
    const { name, entry }: FileValue = args.source
    const to = args.path.endsWith("/") ? posix.join(path, name) : path
    return putAt(to, { ...entry, mode: args.permissions ?? entry.mode })
  }),
  withDirectory: changing(async (path, args, session) => {
    const { entries } = await filtered(session, args.source, args).load()
    return { at: path, put: [...entries] }
  }),
  withoutFile: remove,
  withoutDirectory: remove,

  withMountedDirectory: mounting(async ({ source }) => ({
    kind: "directory",
    manifest: await source.load(),
  })),
  withMountedTemp: mounting(() => ({ kind: "temp" })),
  withMountedCache: mounting(({ cache }) => ({ kind: "cache", volume: cache.volume })),
  withoutMount: (_, container: ContainerValue, { path }) => {
    const gone = inContainer(container, path)
    return { ...container, mounts: container.mounts.filter(mount => mount.path !== gone) }
  },
  mounts: (_, { mounts }: ContainerValue) => mounts.map(mount => mount.path),
}
