import { homedir } from "node:os"
import { isAbsolute, join, relative, resolve } from "node:path"
import type { SessionAddress } from "../session/module/endpoint.js"
import type { ModuleSource } from "../session/module/source.js"
import type { ArgumentDef, TypeRef } from "../session/module/types.js"
import { askFor } from "./client.js"
import { CliError } from "./errors.js"
import { kebab } from "./names.js"

/** A value for an object argument: its ID, from the address that stands for it. Throws CliError where there is no such thing. */
export async function loadAddress(
  session: SessionAddress,
  arg: ArgumentDef,
  type: TypeRef,
  address: string,
  cwd: string,
): Promise<string> {
  try {
    const id = (await askFor(session, addressQuery(arg, type.name as string, address, cwd))) as string
    if (["Directory", "File", "Container"].includes(type.name as string)) {
      return (await askFor(session, nodeQuery(type.name as string, id, "sync"))) as string
    }
    return id
  } catch (error) {
    const message = `failed to get value for argument ${JSON.stringify(kebab(arg.name))}: ${(error as Error).message}`
    throw error instanceof CliError
      ? new CliError(message, { exitCode: error.exitCode })
      : new CliError(message)
  }
}

/** The ID of what an argument's `defaultPath` names in the module's repository: "/…" from its root, else from dagger.json's folder. */
export async function loadDefaultPath(
  session: SessionAddress,
  arg: ArgumentDef,
  source: ModuleSource,
): Promise<string> {
  const path = arg.defaultPath as string
  const full = isAbsolute(path) ? join(source.root, path) : resolve(source.dir, path)
  const within = relative(source.root, full)
  if (within === ".." || within.startsWith("../")) {
    throw new CliError(
      `path ${JSON.stringify(path)} is outside of context directory ${JSON.stringify(source.root)}`,
    )
  }
  return (await askFor(session, hostQuery(arg, arg.type.name as string, full))) as string
}

/** A query for one field of an object known by its ID. */
export function nodeQuery(type: string, id: string, field: string): string {
  return `{ node(id: ${JSON.stringify(id)}) { ... on ${type} { ${field} } } }`
}

function addressQuery(arg: ArgumentDef, type: string, address: string, cwd: string): string {
  const text = JSON.stringify(address)
  switch (type) {
    case "Directory":
    case "File":
      return hostQuery(arg, type, localPath(type, address, cwd))
    case "Container":
      return `{ container { from(address: ${text}) { id } } }`
    case "CacheVolume":
      return `{ cacheVolume(key: ${text}) { id } }`
    case "Secret":
      return `{ secret(uri: ${JSON.stringify(secretUri(address))}) { id } }`
    case "Service":
      return serviceQuery(address)
    default:
      throw new CliError(`offline has no arguments of type ${type}`)
  }
}

function hostQuery(arg: ArgumentDef, type: string, path: string): string {
  const place = JSON.stringify(path)
  if (type === "File") return `{ host { file(path: ${place}) { id } } }`
  return `{ host { directory(path: ${place}, exclude: ${JSON.stringify(arg.ignore ?? [])}) { id } } }`
}

function localPath(type: string, address: string, cwd: string): string {
  if (/^(https?|ssh|git):\/\//.test(address) || /^[\w.-]+@[\w.-]+:/.test(address)) {
    throw new CliError(
      `${address} is remote: offline, a ${type} comes from the disk. Clone it and pass its path.`,
    )
  }
  const path = address.replace(/^file:\/\//, "")
  return resolve(cwd, path.replace(/^~(?=\/|$)/, homedir()))
}

function secretUri(address: string): string {
  if (/^(env|file|cmd):\/\//.test(address)) return address
  const [, scheme] = /^([\w+]+):\/\//.exec(address) ?? []
  if (scheme)
    throw new CliError(
      `offline has no secrets from ${scheme}://. Use env://NAME, file://PATH or cmd://COMMAND.`,
    )
  return `env://${address.replace(/^env:/, "")}`
}

function serviceQuery(address: string): string {
  const [, scheme, host, port] = /^(tcp|udp):\/\/(.+):(\d+)$/.exec(address) ?? []
  if (!scheme) {
    const [, other] = /^(\w+):\/\//.exec(address) ?? []
    if (other === "tcp" || other === "udp")
      throw new CliError(`address ${address.slice(6)}: missing port in address`)
    throw new CliError(
      `unsupported service address: ${JSON.stringify(other ?? address)}. Must be a valid tcp:// or udp:// URL`,
    )
  }
  const forward = `{ backend: ${port}, frontend: ${port}, protocol: ${scheme.toUpperCase()} }`
  return `{ host { service(host: ${JSON.stringify(host)}, ports: [${forward}]) { id } } }`
}
