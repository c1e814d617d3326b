import type { TypeRef } from "../session/module/types.js"
import type { Api } from "./api.js"
import { splitCsv } from "./csv.js"

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
