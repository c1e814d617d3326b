import { createHash } from "node:crypto"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import {
  buildSchema,
  type GraphQLArgument,
  type GraphQLType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isScalarType,
} from "graphql"
import { readKept, writeKept } from "../machine/kept.js"
import type {
  ArgumentDef,
  EnumDef,
  FunctionDef,
  ModuleDef,
  ObjectDef,
  TypeRef,
} from "../session/module/types.js"
import { isSupported } from "./values.js"

/** Objects and enums of the core API, as far as the stand-in has them. */
export interface CoreApi {
  objects: ObjectDef[]
  enums: EnumDef[]
}

/** What can be called: the module's types and the core's. */
export class Api {
  readonly mainObject: ObjectDef

  /** Throws where the module has no class of the module's name. */
  constructor(
    readonly moduleName: string,
    readonly module: ModuleDef,
    private readonly core: CoreApi,
  ) {
    const main = module.objects.find(object => object.name === pascal(moduleName))
    if (!main) throw new Error(`no class ${pascal(moduleName)} with @object() in the module ${moduleName}`)
    this.mainObject = main
  }

  /** The module's object of that name; undefined for one of the core. */
  own(name: string | undefined): ObjectDef | undefined {
    return this.module.objects.find(object => object.name === name)
  }

  object(name: string | undefined): ObjectDef | undefined {
    return this.own(name) ?? this.core.objects.find(object => object.name === name)
  }

  /** The functions and fields of an object that the command line can call, and the names of those it can't. */
  functions(object: ObjectDef): { supported: FunctionDef[]; skipped: string[] } {
    const fields = object.fields.map(field => ({
      name: field.name,
      description: field.description,
      returns: field.type,
      args: [],
    }))
    const all: FunctionDef[] = [...fields, ...object.functions]
    const can = (fn: FunctionDef) => fn.args.every(arg => !isRequired(arg) || isSupported(arg.type))
    return { supported: all.filter(can), skipped: all.filter(fn => !can(fn)).map(fn => kebab(fn.name)) }
  }

  /** The names that values of an enum have on the command line, sorted. */
  enumNames(name: string): string[] {
    const found = this.findEnum(name)
    return (found?.members ?? []).map(member => memberName(member.name)).sort()
  }

  /** The member's name in the code, from the one on the command line. */
  enumMember(name: string, shown: string): string {
    const members = this.module.enums.find(one => one.name === name)?.members ?? []
    return members.find(member => memberName(member.name) === shown)?.name ?? shown
  }

  /** The name on the command line of a member named as in the code. */
  enumShown(name: string, member: string): string {
    return this.module.enums.some(one => one.name === name) ? memberName(member) : member
  }

  private findEnum(name: string): EnumDef | undefined {
    return this.module.enums.find(one => one.name === name) ?? this.core.enums.find(one => one.name === name)
  }
}

/** True where the argument is the caller's repository, which is never given but injected. */
export function isWorkspace({ type }: ArgumentDef): boolean {
  return type.kind === "OBJECT" && type.name === "Workspace"
}

/** True where the function can't be called without the argument. */
export function isRequired(arg: ArgumentDef): boolean {
  return (
    !isWorkspace(arg) && !arg.type.optional && !arg.defaultValue && !arg.defaultPath && !arg.defaultAddress
  )
}

/** Members are shown in SCREAMING_SNAKE case. */
function memberName(name: string): string {
  return /^[A-Z0-9_]+$/.test(name) ? name : kebab(name).replaceAll("-", "_").toUpperCase()
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

/** `my-module` as a field is named: `myModule`. */
export function camel(name: string): string {
  const text = pascal(name)
  return text.charAt(0).toLowerCase() + text.slice(1)
}

/** The API's name of a module's type: with the module's own name before it, unless it has it. */
export function typeName(module: string, type: string): string {
  const main = pascal(module)
  return type.startsWith(main) ? type : main + type
}

const SCALARS: Record<string, TypeRef["kind"]> = {
  String: "STRING",
  ID: "STRING",
  Int: "INTEGER",
  Float: "FLOAT",
  Boolean: "BOOLEAN",
  Void: "VOID",
}

/** What is between the command line and the terminal or the machine's ports, and so not the session's. */
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
        { name: "random", type: { kind: "BOOLEAN", optional: true }, description: "Take free ports" },
      ],
    },
  ],
}

/** The core API's types, from the text of the schema that sessions serve. */
export function readCoreApi(schema: string): CoreApi {
  const types = Object.values(buildSchema(schema).getTypeMap())
  const objects = types
    .filter(type => isObjectType(type) && !type.name.startsWith("__"))
    .map((type): ObjectDef => {
      const fields = Object.values((isObjectType(type) && type.getFields()) || {})
      return {
        name: type.name,
        description: type.description ?? "",
        fields: [],
        functions: fields.filter(isCallable).map(field => ({
          name: field.name,
          description: field.description ?? "",
          // These act on the object they are asked of, which is what the command line gives back.
          returns: ["sync", "start", "stop"].includes(field.name)
            ? { kind: "OBJECT", name: type.name }
            : typeOf(field.type),
          args: field.args.map(argumentOf),
        })),
      }
    })
    .map(object => ({ ...object, functions: [...object.functions, ...(INTERACTIVE[object.name] ?? [])] }))
  const enums = types.filter(isEnumType).map(
    (type): EnumDef => ({
      name: type.name,
      members: type.getValues().map(value => ({ name: value.name })),
    }),
  )
  return { objects, enums }
}

/** An ID is of no use on the command line, nor is a function that takes one of its own. */
function isCallable(field: { name: string }): boolean {
  return field.name !== "id"
}

function argumentOf(arg: GraphQLArgument): ArgumentDef {
  const hasDefault = arg.defaultValue !== undefined
  return {
    name: arg.name,
    description: arg.description ?? "",
    type: { ...typeOf(arg.type), optional: !isNonNullType(arg.type) || hasDefault },
    ...(hasDefault ? { defaultValue: JSON.stringify(arg.defaultValue) } : {}),
  }
}

function typeOf(type: GraphQLType): TypeRef {
  if (isNonNullType(type)) return typeOf(type.ofType)
  if (isListType(type)) return { kind: "LIST", element: typeOf(type.ofType) }
  if (isEnumType(type)) return { kind: "ENUM", name: type.name }
  if (isInputObjectType(type)) return { kind: "INPUT", name: type.name }
  if (isObjectType(type)) return { kind: "OBJECT", name: type.name }
  if (!isScalarType(type)) return { kind: "INTERFACE", name: `${type}` }
  const kind = SCALARS[type.name]
  if (kind) return { kind }
  if (type.name.endsWith("ID")) return { kind: "OBJECT", name: type.name.slice(0, -2) }
  return { kind: "SCALAR", name: type.name }
}

const SCHEMA = new URL("../session/schema.graphql", import.meta.url)
const READER = new URL("api.ts", import.meta.url)

/** The core API's types. They are kept under the schema's hash, since to read a schema takes longer than the rest of a help page. */
export async function coreApi(stateDir: string): Promise<CoreApi> {
  const schema = readFileSync(SCHEMA, "utf8")
  const hash = createHash("sha256").update(schema).update(readFileSync(READER)).digest("hex")
  const path = join(stateDir, "core", `${hash}.json`)
  const kept = readKept<CoreApi>(path)
  if (kept) return kept
  const api = readCoreApi(schema)
  mkdirSync(join(stateDir, "core"), { recursive: true })
  writeKept(path, api)
  return api
}
