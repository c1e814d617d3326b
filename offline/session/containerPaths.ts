import { posix } from "node:path"
import { directoryAt, inContainer, putFile, putFiles, readAt, removeFiles } from "./containerFiles.js"
import { filtered } from "./directory.js"
import { directoryEntry } from "./manifest.js"
import { readDirectory } from "./rootfs.js"
import type { Args, Field, Fields } from "./session.js"
import type { ContainerValue, DirectoryValue, FileValue, Mount } from "./values.js"

/** A field that mounts something at a path, in place of what is mounted there. */
function mounting(make: (args: Args) => object | Promise<object>): Field {
  return async (_, container: ContainerValue, args) => {
    const path = inContainer(container, args.path)
    const mount = { path, ...(await make(args)) } as Mount
    return { ...container, mounts: [...container.mounts.filter(one => one.path !== path), mount] }
  }
}

const remove: Field = (session, container: ContainerValue, { path }) =>
  removeFiles(session, container, inContainer(container, path))

/** Fields of Container that read and change files, and mount. */
export const pathFields: Fields[string] = {
  file: (session, container: ContainerValue, { path }) => readAt(session, container, path),
  directory: (session, container: ContainerValue, { path }) => directoryAt(session, container, path),
  rootfs: (session, container: ContainerValue): DirectoryValue => ({
    name: "/",
    origin: { container: { ...container, mounts: [] }, path: "/" },
    load: () => readDirectory(session, container, "/"),
  }),
  withNewFile: (session, container: ContainerValue, { path, contents, permissions }) => {
    const blob = session.store.putBuffer(contents)
    const file = { ...blob, type: "file", mode: permissions ?? 0o644, uid: 0, gid: 0 } as const
    return putFile(session, container, inContainer(container, path), file)
  },
  withFile: (session, container: ContainerValue, { path, source, permissions }) => {
    const { name, entry }: FileValue = source
    const to = inContainer(container, path.endsWith("/") ? posix.join(path, name) : path)
    return putFile(session, container, to, { ...entry, mode: permissions ?? entry.mode })
  },
  withDirectory: async (session, container: ContainerValue, args) => {
    const { entries } = await filtered(session, args.source, args).load()
    const to = inContainer(container, args.path)
    if (entries.length === 0 && to !== "/") return putFile(session, container, to, directoryEntry(""))
    return putFiles(session, container, to, [...entries])
  },
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
