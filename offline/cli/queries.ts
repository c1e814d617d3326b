import { createHash } from "node:crypto"
import { request } from "node:http"
import type { SessionAddress } from "../module/endpoint.js"
import type { FunctionDef, TypeRef } from "../module/types.js"
import type { Api } from "./api.js"
import { apiError } from "./errors.js"

interface Answer {
  data: Record<string, unknown> | null
  errors?: { message: string; extensions?: Record<string, unknown> }[]
}

/** Sends a query to a session. There is no time limit. Throws CliError with what the API said. */
export async function ask(session: SessionAddress, query: string): Promise<Record<string, unknown>> {
  const answer = await post(session, JSON.stringify({ query }))
  const [error] = answer.errors ?? []
  if (error) throw apiError(error.message, error.extensions)
  return answer.data as Record<string, unknown>
}

/** Like `ask`, for a query that leads to one value: returns that value. */
export async function askFor(session: SessionAddress, query: string): Promise<unknown> {
  let found: unknown = await ask(session, query)
  while (found !== null && typeof found === "object" && !Array.isArray(found)) found = Object.values(found)[0]
  return found
}

function post(session: SessionAddress, body: string): Promise<Answer> {
  const authorization = `Basic ${Buffer.from(`${session.token}:`).toString("base64")}`
  const headers = { authorization, "content-type": "application/json" }
  return new Promise((resolve, reject) => {
    const call = request(
      { host: "127.0.0.1", port: session.port, path: "/query", method: "POST", headers, agent: false },
      response => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", part => (text += part))
        response.once("error", reject).once("end", () => resolve(JSON.parse(text) as Answer))
      },
    )
    call.once("error", reject).end(body)
  })
}

/** A query for one field of an object known by its ID. */
export function nodeQuery(type: string, id: string, field: string): string {
  return `{ node(id: ${JSON.stringify(id)}) { ... on ${type} { ${field} } } }`
}

/** A core function to ask for, with its arguments ready: objects as IDs. */
export interface Selection {
  fn: FunctionDef
  args: Record<string, unknown>
}

/**
 * The query for a chain of core functions from an object known by its ID, and how to read the answer. A chain that ends in an
 * object is evaluated if the object can be (`sync`), and saved if `output` names a path.
 */
export function coreQuery(
  api: Api,
  type: string,
  id: string,
  chain: readonly Selection[],
  output?: string,
): { query: string; read: (data: unknown) => unknown } {
  const last = chain.at(-1)?.fn.returns ?? { kind: "OBJECT", name: type }
  const leaf = leafField(api, last, output)
  const fields = [...chain.map(selectionText), ...(leaf ? [leaf] : [])]
  const query = nodeQuery(type, id, fields.join(" { ") + " }".repeat(fields.length - 1))
  const isSaved = leaf?.startsWith("leaf: export") ?? false
  const read = (data: unknown): unknown => {
    if (Array.isArray(data)) return data.map(read)
    if (data !== null && typeof data === "object") return read(Object.values(data)[0])
    const { kind, name } = last.kind === "LIST" ? (last.element as TypeRef) : last
    return kind === "OBJECT" && !isSaved && data !== null ? new Shown(name as string, data) : data
  }
  return { query, read }
}

/** The field that a chain ending in an object asks for; undefined for plain values. */
function leafField(api: Api, type: TypeRef, output?: string): string | undefined {
  const object = type.kind === "LIST" ? type.element : type
  if (object?.kind !== "OBJECT") return undefined
  const find = (name: string) => api.object(object.name)?.functions.find(fn => fn.name === name)
  const save = find("export")
  if (output === undefined || !save) return find("sync") ? "leaf: sync" : "leaf: id"
  const parents = save.args.some(arg => arg.name === "allowParentDirPath") ? ", allowParentDirPath: true" : ""
  return `leaf: export(path: ${JSON.stringify(output)}${parents})`
}

function selectionText({ fn, args }: Selection): string {
  const given = fn.args
    .filter(arg => arg.name in args)
    .map(arg => `${arg.name}: ${literal(arg.type, args[arg.name])}`)
  return given.length > 0 ? `${fn.name}(${given.join(", ")})` : fn.name
}

/** A value in a query's text. */
function literal(type: TypeRef, value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(one => literal(type.element as TypeRef, one)).join(", ")}]`
  return type.kind === "ENUM" ? String(value) : JSON.stringify(value)
}

/** An object as the command line shows it: its type and a hash of what made it. */
export class Shown {
  constructor(
    readonly type: string,
    readonly made: unknown,
  ) {}

  toString(): string {
    const hash = createHash("sha256").update(JSON.stringify(this.made)).digest("hex").slice(0, 16)
    return `${this.type}@xxh3:${hash}`
  }
}

/** A result as text for standard output: a string is printed as it is. Objects look the same with `json`. */
export function resultText(value: unknown, json: boolean): string {
  if (value instanceof Shown) return `${value}\n`
  if (Array.isArray(value) && value.length > 0 && value.every(one => one instanceof Shown)) {
    return value.map(one => `- ${one}\n`).join("")
  }
  return json ? `${JSON.stringify(value ?? null, null, 4)}\n` : plainText(value)
}

function plainText(value: unknown): string {
  if (Array.isArray(value)) return value.map(one => `${plainText(one)}\n`).join("")
  if (value === null || value === undefined) return "<nil>"
  if (typeof value === "object") return Object.values(value).map(plainText).join("")
  return String(value)
}
