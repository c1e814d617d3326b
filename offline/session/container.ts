import { posix } from "node:path"
import { expanded } from "./create.js"
import { filtered } from "./directory.js"
import { UserError } from "./errors.js"
import { withExec } from "./exec.js"
import { platformOf } from "./image.js"
import { directoryEntry, type FileValue } from "./manifest.js"
import { from } from "./registry.js"
import {
  directoryAt,
  inContainer,
  putFile,
  putFiles,
  readAt,
  readDirectory,
  removeFiles,
  settle,
  wholeImage,
} from "./rootfs.js"
import type {
  Args,
  ContainerValue,
  DirectoryValue,
  Field,
  Fields,
  ImageConfig,
  Mount,
  Outcome,
  Session,
} from "./session.js"

/** Query.container: an empty one. */
export const container: Field = async (session, _, { platform }): Promise<ContainerValue> => ({
  ...{ layers: [], edits: [], config: {}, platform: platform ?? (await platformOf(session)) },
  ...{ mounts: [], ports: [], secretEnv: [], services: [], auths: [] },
})

/** A field that gives the container with some parts replaced. */
function change(make: (container: ContainerValue, args: Args) => Partial<ContainerValue>): Field {
  return (_, container: ContainerValue, args) => ({ ...container, ...make(container, args) })
}

/** A field that gives the container with some parts of its image's configuration replaced. */
function configure(make: (config: ImageConfig, args: Args, container: ContainerValue) => ImageConfig): Field {
  return change((container, args) => ({
    config: { ...container.config, ...make(container.config, args, container) },
  }))
}

/** A field that reads what the last command left. */
function ofLast(part: keyof Outcome): Field {
  return (_, { last }: ContainerValue) => {
    if (!last) throw new UserError("no command has been set")
    return last[part]
  }
}

function withoutVariable(env: string[] | undefined, name: string): string[] {
  return (env ?? []).filter(entry => !entry.startsWith(`${name}=`))
}

function withVariable(env: string[] | undefined, name: string, value: string): string[] {
  const entry = `${name}=${value}`
  const known = env?.some(one => one.startsWith(`${name}=`))
  return known ? (env ?? []).map(one => (one.startsWith(`${name}=`) ? entry : one)) : [...(env ?? []), entry]
}

/** Fields of Container about its image's configuration and its commands. */
export const containerFields: Fields[string] = {
  from,
  withExec,
  stdout: ofLast("stdout"),
  stderr: ofLast("stderr"),
  combinedOutput: ofLast("combined"),
  exitCode: ofLast("exitCode"),
  sync: async (session, container: ContainerValue) => void (await settle(session, container)),
  platform: (_, { platform }: ContainerValue) => platform,

  withEnvVariable: configure(({ Env }, args, container) => ({
    Env: withVariable(Env, args.name, args.expand ? expanded(container, args.value) : args.value),
  })),
  withoutEnvVariable: configure(({ Env }, { name }) => ({ Env: withoutVariable(Env, name) })),
  envVariable: (_, { config }: ContainerValue, { name }) =>
    config.Env?.find(entry => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? null,
  envVariables: (_, { config }: ContainerValue) => (config.Env ?? []).map(pair),
  withSecretVariable: change(({ secretEnv }, { name, secret }) => ({
    secretEnv: [...secretEnv.filter(one => one.name !== name), { name, secret }],
  })),
  withoutSecretVariable: change(({ secretEnv }, { name }) => ({
    secretEnv: secretEnv.filter(one => one.name !== name),
  })),

  withWorkdir: configure((_, { path }, container) => ({ WorkingDir: inContainer(container, path) })),
  workdir: (_, { config }: ContainerValue) => config.WorkingDir ?? "",
  withUser: configure((_, { name }) => ({ User: name })),
  user: (_, { config }: ContainerValue) => config.User ?? "",

  withLabel: configure(({ Labels }, { name, value }) => ({ Labels: { ...Labels, [name]: value } })),
  label: (_, { config }: ContainerValue, { name }) => config.Labels?.[name] ?? null,
  labels: (_, { config }: ContainerValue) =>
    Object.entries(config.Labels ?? {}).map(([name, value]) => ({ name, value })),

  withEntrypoint: configure(({ Cmd }, { args, keepDefaultArgs }) => ({
    ...{ Entrypoint: args, Cmd: keepDefaultArgs ? Cmd : null },
  })),
  entrypoint: (_, { config }: ContainerValue) => config.Entrypoint ?? [],
  withDefaultArgs: change(({ config }, { args }) => ({ config: { ...config, Cmd: args }, ownArgs: true })),
  withoutDefaultArgs: change(({ config }) => ({ config: { ...config, Cmd: null }, ownArgs: false })),
  defaultArgs: (_, { config }: ContainerValue) => config.Cmd ?? [],

  withExposedPort: change(({ ports }, { port, protocol }) => ({
    ports: [...ports.filter(one => one.port !== port || one.protocol !== protocol), { port, protocol }],
  })),
  exposedPorts: (_, { ports }: ContainerValue) => ports,
  withServiceBinding: change(({ services }, binding) => ({
    services: [...services.filter(one => one.alias !== binding.alias), binding],
  })),
  withRegistryAuth: change(({ auths }, { address, username, secret }) => ({
    auths: [...auths.filter(one => one.address !== address), { address, username, secret }],
  })),
  withoutRegistryAuth: change(({ auths }, { address }) => ({
    auths: auths.filter(one => one.address !== address),
  })),
}

function pair(entry: string) {
  const at = entry.indexOf("=")
  return { name: entry.slice(0, at), value: entry.slice(at + 1) }
}

/** A field that mounts something at a path, in place of what is mounted there. */
function mounting(make: (args: Args, session: Session) => object | Promise<object>): Field {
  return async (session, container: ContainerValue, args) => {
    const path = inContainer(container, args.path)
    const mount = { path, ...(await make(args, session)) } as Mount
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

  withMountedDirectory: mounting(
    async ({ source }, session) =>
      (await wholeImage(session, source)) ?? { kind: "directory", manifest: await source.load() },
  ),
  withMountedTemp: mounting(() => ({ kind: "temp" })),
  withMountedCache: mounting(({ cache }) => ({ kind: "cache", volume: cache.volume })),
  withoutMount: (_, container: ContainerValue, { path }) => {
    const gone = inContainer(container, path)
    return { ...container, mounts: container.mounts.filter(mount => mount.path !== gone) }
  },
  mounts: (_, { mounts }: ContainerValue) => mounts.map(mount => mount.path),
}
