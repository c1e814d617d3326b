import { homedir } from "node:os"
import { isAbsolute, join, relative, resolve } from "node:path"
import type { SessionAddress } from "../session/module/endpoint.js"
import type { ModuleSource } from "../session/module/source.js"
import type { ArgumentDef, TypeRef } from "../session/module/types.js"
import { type Api, kebab } from "./api.js"
import { CliError } from "./errors.js"
import { askFor } from "./queries.js"

/** Core types that have a form on the command line: an address that the session turns into the object. */
const ADDRESSED = new Set([
  "Directory",
  "File",
  "Secret",
  "Service",
  "Container",
  "CacheVolume",
  "Socket",
  "GitRepository",
  "GitRef",
])
/** Types whose values are plain but have rules of their own. */
const SPECIAL = new Set(["Platform", "BuildArg", "PortForward"])

/** True for objects that are named by an address: a path, an image, `env://NAME`, `tcp://host:port`. */
export function isAddressed(type: TypeRef): boolean {
  return type.kind === "OBJECT" && ADDRESSED.has(type.name ?? "")
}

/** True where an argument of this type can be given on the command line. */
export function isSupported(type: TypeRef): boolean {
  if (type.kind === "LIST") {
    const element = type.element as TypeRef
    return (
      element.kind !== "LIST" &&
      isSupported(element) &&
      !["GitRepository", "GitRef"].includes(element.name ?? "")
    )
  }
  if (type.kind === "OBJECT") return isAddressed(type)
  if (type.kind === "INPUT") return SPECIAL.has(type.name ?? "")
  return type.kind !== "INTERFACE" && type.kind !== "VOID"
}

/** The word for a flag's value in the help; "" for a bool. */
export function typeWord(type: TypeRef, api: Api): string {
  switch (type.kind) {
    case "STRING":
      return "string"
    case "INTEGER":
      return "int"
    case "FLOAT":
      return "float"
    case "BOOLEAN":
      return ""
    case "ENUM":
      return api.enumNames(type.name as string).join(",")
    case "LIST": {
      const element = type.element as TypeRef
      const plain = { STRING: "strings", INTEGER: "ints", FLOAT: "float64Slice", BOOLEAN: "bools" } as Record<
        string,
        string
      >
      return plain[element.kind] ?? `[]${typeWord(element, api)}`
    }
    default:
      return SPECIAL.has(type.name ?? "") || type.kind === "OBJECT" ? (type.name as string) : "string"
  }
}

/**
 * One value of a flag, from its text. An addressed object's value is its address still. Throws with the real CLI's words where
 * the text is no value of the type.
 */
export function parseValue(type: TypeRef, text: string, api: Api): unknown {
  switch (type.kind) {
    case "INTEGER":
      return parseInteger(text)
    case "FLOAT":
      return parseFloating(text)
    case "BOOLEAN":
      return parseBoolean(text)
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
  if (name === "Platform") {
    if (text === "") throw new Error("platform cannot be empty")
    return text === "current" ? `linux/${process.arch === "x64" ? "amd64" : process.arch}` : text
  }
  if (name === "CacheVolume" && text === "") throw new Error("cacheVolume name cannot be empty")
  if (name === "BuildArg") {
    const [, key, value] = /^"?([^=]*)=([\s\S]*?)"?$/.exec(text) ?? []
    if (key === undefined) throw new Error(`${text} must be formatted as name=value`)
    if (key === "") throw new Error(`${text} cannot have an empty name`)
    return { name: key, value }
  }
  if (name === "PortForward") {
    const [, frontend, backend] = /^(\d+):(\d+)$/.exec(text) ?? []
    if (!frontend) throw new Error(`portForward setting not in the form of frontend:backend: "${text}"`)
    return { frontend: Number(frontend), backend: Number(backend) }
  }
  return text
}

function parseInteger(text: string): number {
  const digits = text.replace(/(?<=[0-9a-fA-FxXbBoO])_(?=[0-9a-fA-F])/g, "")
  const [, sign = "", body = ""] =
    /^([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]*|[1-9][0-9]*)$/.exec(digits) ?? []
  if (body === "") throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  const octal = /^0[0-7]+$/.test(body)
  return Number(octal ? `0o${body.slice(1)}` : body) * (sign === "-" ? -1 : 1)
}

function parseFloating(text: string): number {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number(text)
  throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`)
}

function parseBoolean(text: string): boolean {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`)
}

/** Splits one line at its commas; a part in double quotes may hold commas, and a doubled quote in it is one (RFC 4180). */
export function splitCsv(text: string): string[] {
  if (text === "") return []
  const parts: string[] = []
  let rest = text
  for (;;) {
    const quoted = /^"((?:[^"]|"")*)"(,|$)/.exec(rest)
    const found = quoted ?? /^([^",]*)(,|$)/.exec(rest)
    if (!found)
      throw new Error(
        `parse error on line 1, column ${text.length - rest.length + 1}: bare " in non-quoted field`,
      )
    const part = found[1] ?? ""
    parts.push(quoted ? part.replaceAll('""', '"') : part)
    if (found[2] === "") return parts
    rest = rest.slice(found[0].length)
  }
}

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
