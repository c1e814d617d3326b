import { inContainer } from "./containerFiles.js"
import { expanded } from "./create.js"
import { UserError } from "./errors.js"
import { withExec } from "./exec.js"
import { from } from "./from.js"
import { platformOf } from "./image.js"
import { settle } from "./rootfs.js"
import type { Args, Field, Fields } from "./session.js"
import type { ContainerValue, ImageConfig, Outcome } from "./values.js"

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

/** Fields of Container about its image's configuration and its commands; containerFiles and others have the rest. */
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
