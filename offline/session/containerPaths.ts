import { posix } from "node:path"
import { expanded } from "./container.js"
import { changeFiles, directoryAt, inContainer, readAt } from "./containerFiles.js"
import { filtered } from "./directory.js"
import type { Entry } from "./manifest.js"
import { ownerIds } from "./owner.js"
import { readDirectory } from "./rootfs.js"
import type { Args, Field, Fields, Session } from "./session.js"
import type { ContainerValue, DirectoryValue, FileValue, Mount } from "./values.js"

interface PathArgs {
  path: string
  expand: boolean
}

const at = (container: ContainerValue, { path, expand }: PathArgs) =>
  inContainer(container, expanded(container, path, expand))

/** Puts a file in the container at an absolute path. */
function putFile(
  session: Session,
  container: ContainerValue,
  path: string,
  file: Omit<Entry, "path">,
): ContainerValue {
  const put = [{ ...file, path: posix.basename(path) }]
  return changeFiles(session, container, { at: posix.dirname(path), put })
}

/** Entries with an owner and permissions given by the caller, or as they are. */
async function owned<T extends Omit<Entry, "path">>(
  session: Session,
  container: ContainerValue,
  entries: readonly T[],
  { owner, permissions }: { owner: string; permissions?: number | null },
): Promise<T[]> {
  const ids = owner === "" ? {} : await ownerIds(session, container, owner)
  const mode = permissions === null || permissions === undefined ? {} : { mode: permissions }
  return entries.map(entry => ({ ...entry, ...ids, ...mode }))
}

/** A field that mounts something at a path, in place of what is mounted there. */
function mounting(
  make: (session: Session, container: ContainerValue, args: Args) => object | Promise<object>,
): Field {
  return async (session, container: ContainerValue, args) => {
    const path = at(container, args)
    const mount = { path, ...(await make(session, container, args)) } as Mount
    return {
      ...container,
      mounts: [...container.mounts.filter(one => one.path !== path), mount],
      imageRef: undefined,
    }
  }
}

/** The entries of a directory given to a container, with the owner wanted. */
async function listed(session: Session, container: ContainerValue, source: DirectoryValue, owner: string) {
  const manifest = await source.load()
  if (owner === "") return manifest
  return session.store.putManifest(await owned(session, container, manifest.entries, { owner }))
}

/** Fields of Container that read and change files, and mount. */
export const pathFields: Fields[string] = {
  file: (session, container: ContainerValue, args) => readAt(session, container, at(container, args)),
  directory: (session, container: ContainerValue, args) =>
    directoryAt(session, container, at(container, args)),
  rootfs: (session, container: ContainerValue): DirectoryValue => ({
    name: "/",
    origin: { container: { ...container, mounts: [] }, path: "/" },
    load: () => readDirectory(session, container, "/"),
  }),
  withRootfs: async (_, container: ContainerValue, { directory }: { directory: DirectoryValue }) => {
    const { entries } = await directory.load()
    const empty = { ...container, layers: [], edits: [], imageRef: undefined }
    return { ...empty, edits: [{ at: "/", put: [...entries] }] }
  },

  withNewFile: async (session, container: ContainerValue, args) => {
    const blob = session.store.putBuffer(args.contents)
    const file = { ...blob, type: "file", mode: 0o644, uid: 0, gid: 0 } as const
    const [entry = file] = await owned(session, container, [file], args)
    return putFile(session, container, at(container, args), entry)
  },
  withFile: async (
    session,
    container: ContainerValue,
    args: PathArgs & { source: FileValue; owner: string },
  ) => {
    const [entry = args.source.entry] = await owned(session, container, [args.source.entry], args)
    const path = args.path.endsWith("/") ? posix.join(args.path, args.source.name) : args.path
    return putFile(session, container, at(container, { ...args, path }), entry)
  },
  withFiles: async (
    session,
    container: ContainerValue,
    args: PathArgs & { sources: FileValue[]; owner: string },
  ) => {
    const put = await owned(session, container, args.sources.map(named), args)
    return changeFiles(session, container, { at: at(container, args), put })
  },
  withDirectory: async (session, container: ContainerValue, args) => {
    const kept = await filtered(session, args.source, args).load()
    const put = await owned(session, container, kept.entries, { owner: args.owner })
    return changeFiles(session, container, { at: at(container, args), put })
  },
  withoutFile: (session, container: ContainerValue, args) =>
    changeFiles(session, container, { remove: at(container, args) }),
  withoutFiles: (session, container: ContainerValue, args: { paths: string[]; expand: boolean }) =>
    args.paths.reduce(
      (rest, path) => changeFiles(session, rest, { remove: at(container, { ...args, path }) }),
      container,
    ),
  withoutDirectory: (session, container: ContainerValue, args) =>
    changeFiles(session, container, { remove: at(container, args) }),

  withMountedDirectory: mounting(async (session, container, { source, owner }) => ({
    ...{ kind: "directory", manifest: await listed(session, container, source, owner) },
  })),
  withMountedFile: mounting(async (session, container, args) => {
    const [entry] = await owned(session, container, [args.source.entry], { owner: args.owner })
    return { kind: "file", file: { ...args.source, entry } }
  }),
  withMountedTemp: mounting(() => ({ kind: "temp" })),
  withMountedCache: mounting((_, __, { cache }) => ({ kind: "cache", volume: cache.volume })),
  withMountedSecret: mounting((_, __, { source, mode, owner }) => ({
    kind: "secret",
    secret: source,
    mode,
    owner,
  })),
  withoutMount: (_, container: ContainerValue, args) => {
    const path = at(container, args)
    return {
      ...container,
      mounts: container.mounts.filter(mount => mount.path !== path),
      imageRef: undefined,
    }
  },
  mounts: (_, { mounts }: ContainerValue) => mounts.map(mount => mount.path),
}

function named({ name, entry }: FileValue): Entry {
  return { ...entry, path: name }
}
