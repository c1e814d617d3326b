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
import type { ArgumentDef, EnumDef, FunctionDef, ObjectDef, TypeRef } from "../session/module/types.js"
import type { CoreApi } from "./api.js"

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
