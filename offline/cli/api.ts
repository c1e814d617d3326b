import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { cached } from "../machine/kept.js"
import type {
  ArgumentDef,
  EnumDef,
  FunctionDef,
  Kind,
  ModuleDef,
  ObjectDef,
  TypeRef,
} from "../module/types.js"

/** Objects and enums of the core API, as far as the stand-in has them. */
export interface CoreApi {
  objects: ObjectDef[]
  enums: EnumDef[]
}

/** Everything that can be called: the module's types and the core's. */
export class Api {
  readonly mainObject: ObjectDef
  /** The constructor as a function: without a name, returning the main object. */
  readonly create: FunctionDef

  /** Throws if the module has no class of the module's name. */
  constructor(
    readonly moduleName: string,
    readonly module: ModuleDef,
    private readonly core: CoreApi,
  ) {
    const main = module.objects.find(object => object.name === pascal(moduleName))
    if (!main) throw new Error(`no class ${pascal(moduleName)} with @object() in the module ${moduleName}`)
    this.mainObject = main
    const returns = { kind: "OBJECT", name: main.name } as const
    this.create = { name: "", description: "", args: main.create?.args ?? [], returns }
  }

  /** The module's object of that name; undefined for one of the core. */
  own(name: string | undefined): ObjectDef | undefined {
    return this.module.objects.find(object => object.name === name)
  }

  object(name: string | undefined): ObjectDef | undefined {
    return this.own(name) ?? this.core.objects.find(object => object.name === name)
  }

  /** What can follow a function on the command line: the fields and functions of the object, or the list of objects, that it gives. */
  following({ returns }: FunctionDef): FunctionDef[] {
    const type = returns.kind === "LIST" ? returns.element : returns
    const object = type?.kind === "OBJECT" ? this.object(type.name) : undefined
    if (!object) return []
    const fields = object.fields.map(({ type, ...field }) => ({ ...field, returns: type, args: [] }))
    const all: FunctionDef[] = [...fields, ...object.functions]
    return all.filter(fn => fn.args.every(arg => !isRequired(arg) || isSupported(arg.type)))
  }

  /** The names that values of an enum have on the command line, sorted. */
  enumNames(name: string): string[] {
    const found = [...this.module.enums, ...this.core.enums].find(one => one.name === name)
    return (found?.members ?? []).map(member => memberName(member.name)).sort()
  }

  /** The member's name in the code, from the one on the command line. */
  enumMember(name: string, shown: string): string {
    const members = this.module.enums.find(one => one.name === name)?.members ?? []
    return members.find(member => memberName(member.name) === shown)?.name ?? shown
  }
}

/** True if the argument is the caller's repository, which is injected and never passed. */
export function isWorkspace({ type }: ArgumentDef): boolean {
  return type.kind === "OBJECT" && type.name === "Workspace"
}

/** True if the function can't be called without the argument. */
export function isRequired(arg: ArgumentDef): boolean {
  const hasDefault = arg.defaultValue || arg.defaultPath || arg.defaultAddress
  return !isWorkspace(arg) && !arg.type.optional && !hasDefault
}

/** Core types that have a form on the command line: an address that the session turns into the object. */
const ADDRESSED = ["Directory", "File", "Secret", "Service", "Container", "CacheVolume", "Socket"]

/** True for objects that are named by an address: a path, an image, `env://NAME`, `tcp://host:port`. */
export function isAddressed(type: TypeRef): boolean {
  return type.kind === "OBJECT" && ADDRESSED.includes(type.name ?? "")
}

/** True if an argument of this type can be given on the command line. */
export function isSupported(type: TypeRef): boolean {
  if (type.kind === "LIST") return type.element?.kind !== "LIST" && isSupported(type.element as TypeRef)
  if (type.kind === "OBJECT") return isAddressed(type)
  if (type.kind === "INPUT") return type.name === "PortForward"
  return type.kind !== "INTERFACE" && type.kind !== "VOID"
}

/**
 * A name as the command line shows it: `badExec` is `bad-exec`, `JSONData` is `json-data`, `ecsArn2` is `ecs-arn-2`.
 * The rule is the real CLI's: a new word at a capital after a small letter, at the last capital of several before a small
 * letter, and between letters and digits.
 */
export function kebab(name: string): string {
  return name
    .trim()
    .replace(/([a-z])([A-Z])/g, "$1-$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1-$2")
    .replace(/([A-Za-z])([0-9])/g, "$1-$2")
    .replace(/([0-9])([A-Za-z])/g, "$1-$2")
    .replace(/[ _.]/g, "-")
    .toLowerCase()
}

/** `my-module` as a class is named: `MyModule`. */
export function pascal(name: string): string {
  return kebab(name)
    .split("-")
    .map(word => word.charAt(0).toUpperCase() + word.slice(1))
    .join("")
}

/** The API's name of a module's type: with the module's own name before it, unless it already starts with it. */
export function typeName(module: string, type: string): string {
  const main = pascal(module)
  return type.startsWith(main) ? type : main + type
}

/** An enum's members are shown in SCREAMING_SNAKE case. */
export function memberName(name: string): string {
  return /^[A-Z0-9_]+$/.test(name) ? name : kebab(name).replaceAll("-", "_").toUpperCase()
}

const SCHEMA = new URL("../session/schema.graphql", import.meta.url)

/** The core API's types. They are kept under the schema's hash, since reading a schema takes longer than the rest of a help page. */
export function coreApi(cache: string): Promise<CoreApi> {
  const schema = readFileSync(SCHEMA, "utf8")
  const reader = readFileSync(new URL(import.meta.url))
  const hash = createHash("sha256").update(schema).update(reader).digest("hex")
  return cached(join(cache, "core"), hash, () => readCoreApi(schema))
}

async function readCoreApi(schema: string): Promise<CoreApi> {
  const { buildSchema, isEnumType, isInputObjectType, isObjectType } = await import("graphql")
  const types = Object.values(buildSchema(schema).getTypeMap()).filter(type => !type.name.startsWith("__"))
  const kinds = new Map<string, Kind>(Object.entries(SCALARS))
  for (const type of types) {
    if (isObjectType(type)) kinds.set(type.name, "OBJECT")
    if (isEnumType(type)) kinds.set(type.name, "ENUM")
    if (isInputObjectType(type)) kinds.set(type.name, "INPUT")
  }
  const objects = types.filter(isObjectType).map((object): ObjectDef => {
    // An ID is of no use on the command line.
    const fields = Object.values(object.getFields()).filter(field => field.name !== "id")
    const functions = fields.map((field): FunctionDef => {
      // These act on the object they are called on, which is what the command line returns.
      const acts = ["sync", "start", "stop"].includes(field.name)
      const args = field.args.map(({ name, description, type, defaultValue }): ArgumentDef => {
        const hasDefault = defaultValue !== undefined
        const optional = hasDefault || !`${type}`.endsWith("!")
        const argument = {
          name,
          description: description ?? "",
          type: { ...typeOf(`${type}`, kinds), optional },
        }
        return hasDefault ? { ...argument, defaultValue: JSON.stringify(defaultValue) } : argument
      })
      const returns: TypeRef = acts ? { kind: "OBJECT", name: object.name } : typeOf(`${field.type}`, kinds)
      return { name: field.name, description: field.description ?? "", returns, args }
    })
    return { name: object.name, fields: [], functions: [...functions, ...(INTERACTIVE[object.name] ?? [])] }
  })
  const enums = types.filter(isEnumType).map(type => ({
    name: type.name,
    members: type.getValues().map(({ name }) => ({ name })),
  }))
  return { objects, enums }
}

const SCALARS: Record<string, Kind> = {
  String: "STRING",
  ID: "STRING",
  Int: "INTEGER",
  Float: "FLOAT",
  Boolean: "BOOLEAN",
  Void: "VOID",
}

/** A type from its text in the schema: `[String!]!`. */
function typeOf(text: string, kinds: Map<string, Kind>): TypeRef {
  const [, element] = /^\[(.*)]!?$/.exec(text) ?? []
  if (element) return { kind: "LIST", element: typeOf(element, kinds) }
  const name = text.replace("!", "")
  const kind = kinds.get(name)
  if (kind) return name in SCALARS ? { kind } : { kind, name }
  if (name.endsWith("ID")) return { kind: "OBJECT", name: name.slice(0, -2) }
  return { kind: "SCALAR", name }
}

/** Functions that connect the terminal or the machine's ports, which the command line handles instead of the session. */
const INTERACTIVE: Record<string, FunctionDef[]> = {
  Container: [
    {
      name: "terminal",
      description: "Opens a shell in the container, or runs another command on this terminal.",
      returns: { kind: "OBJECT", name: "Container" },
      args: [{ name: "cmd", type: { kind: "LIST", optional: true, element: { kind: "STRING" } } }],
    },
  ],
  Service: [
    {
      name: "up",
      description: "Starts the service and opens its ports on this machine until Ctrl-C.",
      returns: { kind: "VOID" },
      args: [
        {
          name: "ports",
          type: { kind: "LIST", optional: true, element: { kind: "INPUT", name: "PortForward" } },
          description: "Ports, as FRONTEND:BACKEND",
        },
      ],
    },
  ],
}
