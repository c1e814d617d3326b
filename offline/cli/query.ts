import type { TypeRef } from "../session/module/types.js"
import type { Api } from "./api.js"
import type { Step } from "./chain.js"
import { Shown } from "./print.js"

/** A core function to ask for, with its arguments ready: objects as IDs. */
export interface Selection {
  step: Step
  args: Record<string, unknown>
}

/**
 * The query for a chain of core functions from an object known by its ID, and how to read the answer. A chain that ends in an
 * object is evaluated where the object can be (`sync`), and saved where `output` names a path.
 */
export function coreQuery(
  api: Api,
  type: string,
  id: string,
  chain: readonly Selection[],
  output?: string,
): { query: string; read: (data: unknown) => unknown } {
  const last = chain.at(-1)?.step.fn.returns ?? { kind: "OBJECT", name: type }
  const leaf = leafField(api, last, output)
  const fields = [...chain.map(selectionText), ...(leaf ? [leaf] : [])]
  const query = `{ node(id: ${JSON.stringify(id)}) { ... on ${type} { ${fields.join(" { ")} ${"} ".repeat(fields.length + 2)}`
  const names = [...chain.map(({ step }) => step.fn.name), ...(leaf ? ["leaf"] : [])]
  const read = (data: unknown) =>
    show(last, follow((data as { node: unknown }).node, names), leaf?.startsWith("leaf: export") ?? false)
  return { query, read }
}

/** The field that a chain ending in an object asks for; undefined for plain values. */
function leafField(api: Api, type: TypeRef, output?: string): string | undefined {
  const object = type.kind === "LIST" ? type.element : type
  if (object?.kind !== "OBJECT") return undefined
  const has = (name: string) => api.object(object.name)?.functions.find(fn => fn.name === name)
  const save = has("export")
  if (output !== undefined && save) {
    const parents = save.args.some(arg => arg.name === "allowParentDirPath")
      ? ", allowParentDirPath: true"
      : ""
    return `leaf: export(path: ${JSON.stringify(output)}${parents})`
  }
  return has("sync") ? "leaf: sync" : "leaf: id"
}

function selectionText({ step, args }: Selection): string {
  const given = step.fn.args
    .filter(arg => arg.name in args)
    .map(arg => `${arg.name}: ${literal(arg.type, args[arg.name])}`)
  return given.length > 0 ? `${step.fn.name}(${given.join(", ")})` : step.fn.name
}

/** A value in a query's text. */
function literal(type: TypeRef, value: unknown): string {
  if (type.kind === "ENUM") return String(value)
  if (Array.isArray(value)) return `[${value.map(one => literal(type.element as TypeRef, one)).join(", ")}]`
  if (value !== null && typeof value === "object") {
    return `{${Object.entries(value)
      .map(([name, one]) => `${name}: ${JSON.stringify(one)}`)
      .join(", ")}}`
  }
  return JSON.stringify(value)
}

function follow(data: unknown, names: readonly string[]): unknown {
  if (Array.isArray(data)) return data.map(one => follow(one, names))
  const [name, ...rest] = names
  return name === undefined || data === null ? data : follow((data as Record<string, unknown>)[name], rest)
}

function show(type: TypeRef, value: unknown, saved: boolean): unknown {
  if (saved) return value
  if (Array.isArray(value))
    return value.map(one => show(type.kind === "LIST" ? (type.element as TypeRef) : type, one, saved))
  return type.kind === "OBJECT" ? new Shown(type.name as string, value) : value
}
