import { homedir } from "node:os"
import { isAbsolute, join, relative, resolve } from "node:path"
import type { SessionAddress } from "../module/endpoint.js"
import type { ModuleSource } from "../module/source.js"
import type { ArgumentDef, TypeRef } from "../module/types.js"
import { type Api, kebab } from "./api.js"
import { CliError } from "./errors.js"
import { askFor, nodeQuery } from "./queries.js"

/**
 * One value of a flag, from its text. An addressed object's value is still its address. Throws with the real CLI's words if
 * the text isn't a value of the type.
 */
export function parseValue(type: TypeRef, text: string, api: Api): unknown {
  const wrong = (by: string) => new Error(`strconv.${by}: parsing ${JSON.stringify(text)}: invalid syntax`)
  switch (type.kind) {
    case "INTEGER":
      // A leading zero would be octal.
      if (!/^[+-]?(0|[1-9]\d*)$/.test(text)) throw wrong("ParseInt")
      return Number(text)
    case "FLOAT":
      if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) throw wrong("ParseFloat")
      return Number(text)
    case "BOOLEAN":
      if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true
      if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false
      throw wrong("ParseBool")
    case "ENUM": {
      const names = api.enumNames(type.name as string)
      const found = names.find(name => name.toLowerCase() === text.toLowerCase())
      if (found === undefined) throw new Error(`value should be one of ${names.join(",")}`)
      return found
    }
    case "LIST": {
      const element = type.element as TypeRef
      const plain = ["STRING", "INTEGER", "FLOAT", "BOOLEAN"].includes(element.kind)
      const parts = plain ? splitCsv(text) : splitCsv(text.replace(/["'`]/g, "")).map(part => part.trim())
      return parts.map(part => parseValue(element, part, api))
    }
    default:
      return parseSpecial(type.name, text)
  }
}

function parseSpecial(name: string | undefined, text: string): unknown {
  if (name === "Platform" && text === "") throw new Error("platform cannot be empty")
  if (name === "CacheVolume" && text === "") throw new Error("cacheVolume name cannot be empty")
  if (name !== "PortForward") return text
  const [, frontend, backend] = /^(\d+):(\d+)$/.exec(text) ?? []
  if (!frontend) throw new Error(`portForward setting not in the form of frontend:backend: "${text}"`)
  return { frontend: Number(frontend), backend: Number(backend) }
}

/** Splits one line at its commas; a part in double quotes may hold commas, and a doubled quote in it is one (RFC 4180). */
export function splitCsv(text: string): string[] {
  if (text === "") return []
  const [whole, quoted, bare, end] = /^(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/.exec(text) ?? []
  if (whole === undefined) throw new Error(`parse error: bare " in non-quoted field at ${text}`)
  const part = quoted?.replaceAll('""', '"') ?? bare ?? ""
  if (end === "") return [part]
  const rest = text.slice(whole.length)
  return [part, ...(rest === "" ? [""] : splitCsv(rest))]
}

/** A value for an object argument: its ID, from the address that stands for it. Throws CliError if there is no such thing. */
export async function loadAddress(
  session: SessionAddress,
  arg: ArgumentDef,
  type: TypeRef,
  address: string,
  cwd: string,
): Promise<string> {
  const name = type.name as string
  try {
    const id = (await askFor(session, addressQuery(arg, name, address, cwd))) as string
    if (!["Directory", "File", "Container"].includes(name)) return id
    return (await askFor(session, nodeQuery(name, id, "sync"))) as string
  } catch (error) {
    const why = (error as Error).message
    const { exitCode } = error instanceof CliError ? error.details : {}
    const flag = JSON.stringify(kebab(arg.name))
    throw new CliError(`failed to get value for argument ${flag}: ${why}`, { exitCode })
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
    case "Socket":
      return `{ host { unixSocket(path: ${JSON.stringify(localPath(type, address, cwd))}) { id } } }`
    default:
      throw new CliError(`offline, arguments of type ${type} are not supported`)
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
      `${address} is remote: offline, a ${type} must be on this disk. Clone it and pass its path.`,
    )
  }
  const path = address.replace(/^(file|unix):\/\//, "")
  return resolve(cwd, path.replace(/^~(?=\/|$)/, homedir()))
}

/** The `cacheKey` in a secret's address, such as `env://TOKEN?cacheKey=token`: engines then take it for the secret's value. */
export function cacheKeyOf(address: string): string | undefined {
  return new URLSearchParams(address.split("?")[1]).get("cacheKey") ?? undefined
}

function secretUri(given: string): string {
  const address = cacheKeyOf(given) === undefined ? given : (given.split("?")[0] as string)
  const [, scheme] = /^([\w+]+):\/\//.exec(address) ?? []
  if (!scheme) return `env://${address.replace(/^env:/, "")}`
  if (["env", "file", "cmd"].includes(scheme)) return address
  throw new CliError(
    `offline, secrets from ${scheme}:// are not supported. Use env://NAME, file://PATH or cmd://COMMAND.`,
  )
}

function serviceQuery(address: string): string {
  const [, scheme, host, port] = /^(tcp|udp):\/\/(.+):(\d+)$/.exec(address) ?? []
  if (!scheme) {
    const given = JSON.stringify(address)
    throw new CliError(`unsupported service address: ${given}. It must be tcp://HOST:PORT or udp://HOST:PORT`)
  }
  const forward = `{ backend: ${port}, frontend: ${port}, protocol: ${scheme.toUpperCase()} }`
  return `{ host { service(host: ${JSON.stringify(host)}, ports: [${forward}]) { id } } }`
}
