import type { Field, Fields, Node } from "./endpoint.js"
import type {
  ArgumentDef,
  EnumDef,
  FieldDef,
  FunctionDef,
  Kind,
  ModuleDef,
  ObjectDef,
  TypeRef,
} from "./types.js"

/** The marker that the module's process writes to standard output and standard error after each call: the call's own output comes before. */
export const END = "\0end\n"

/** A function to call: its object, the object's state, and the arguments. The constructor's name is "". */
export interface Call {
  object: string
  state: unknown
  name: string
  args: Record<string, unknown>
}

/** The error a function ended with; `extensions` are the details of an exec's error. */
export class FunctionError extends Error {
  constructor(
    message: string,
    readonly extensions: Record<string, unknown>,
  ) {
    super(message)
  }
}

/** How a run reports its result. */
export interface Outcome {
  returned(value: unknown): void
  failed(error: FunctionError): void
}

/**
 * The fields by which the SDK asks what to call and reports the outcome. `call` may come late: requests for it wait. A call of no
 * object at all asks the module to describe itself; the answer is then the ID of a Module, given to `outcome` as that Module.
 */
export function callFields(moduleName: string, call: Promise<Call | undefined>, outcome: Outcome): Fields {
  const ask =
    (field: (call: Call | undefined) => unknown): Field =>
    async () =>
      field(await call)
  return {
    Query: {
      currentModule: () => ({ type: "CurrentModule", value: moduleName }),
      currentFunctionCall: () => ({ type: "FunctionCall", value: undefined }),
      error: (_, { message }) => ({ type: "Error", value: { message, values: {} } }),
    },
    CurrentModule: { name: name => name },
    FunctionCall: {
      parentName: ask(call => call?.object ?? ""),
      name: ask(call => call?.name ?? ""),
      parent: ask(call => JSON.stringify(call?.state ?? {})),
      inputArgs: ask(call =>
        Object.entries(call?.args ?? {}).map(([name, value]) => ({
          type: "FunctionCallArgValue",
          value: { name, value: JSON.stringify(value) },
        })),
      ),
      returnValue: async (_, { value }, byId) => {
        const returned = JSON.parse(value as string) as unknown
        outcome.returned((await call) ? returned : byId(returned))
      },
      returnError: (_, { error }, byId) => {
        const { message, values } = byId(error) as { message: string; values: Record<string, unknown> }
        outcome.failed(new FunctionError(message, values))
      },
    },
    FunctionCallArgValue: { name: arg => arg.name, value: arg => arg.value },
    Error: {
      withValue: (error, { name, value }) => ({
        type: "Error",
        value: { ...error, values: { ...error.values, [name]: JSON.parse(value as string) } },
      }),
    },
  }
}

interface TypeDef extends TypeRef {
  object?: ObjectDef
  enumeration?: EnumDef
}

interface Named {
  name: string
  description?: string
}

/**
 * The fields by which the SDK describes a module: a TypeDef, a Function or the Module grows with each call of a chain, as a
 * new value. Where a thing is in the sources, and marks for generators and deprecation, are taken and forgotten.
 */
export const registrationFields: Fields = {
  Query: {
    typeDef: () => typeDef({ kind: "VOID" }),
    function: (_, { name, returnType }, byId) =>
      fn({ name, returns: plain(byId(returnType) as TypeDef), args: [] }),
    module: () => module({ objects: [], enums: [] }),
    sourceMap: (_, args) => ({ type: "SourceMap", value: args }),
  },
  TypeDef: {
    withKind: (def: TypeDef, { kind }) =>
      typeDef({ ...def, kind: (kind as string).replace(/_KIND$/, "") as Kind }),
    withOptional: (def: TypeDef, { optional }) => typeDef({ ...def, optional }),
    withScalar: (_, { name }) => typeDef({ kind: "SCALAR", name }),
    withInterface: (_, { name }) => typeDef({ kind: "INTERFACE", name }),
    withListOf: (_, { elementType }, byId) =>
      typeDef({ kind: "LIST", element: plain(byId(elementType) as TypeDef) }),
    withObject: (_, { name, description }) =>
      typeDef({ kind: "OBJECT", name, object: { name, description, fields: [], functions: [] } }),
    withField: (def: TypeDef, { name, typeDef: type, description }, byId) =>
      withObject(def, object => {
        const field: FieldDef = { name, description, type: plain(byId(type) as TypeDef) }
        return { ...object, fields: [...object.fields, field] }
      }),
    withFunction: (def: TypeDef, args, byId) =>
      withObject(def, object => ({
        ...object,
        functions: [...object.functions, byId(args.function) as FunctionDef],
      })),
    withConstructor: (def: TypeDef, args, byId) =>
      withObject(def, object => ({ ...object, create: byId(args.function) as FunctionDef })),
    withEnum: (_, { name, description }) =>
      typeDef({ kind: "ENUM", name, enumeration: { name, description, members: [] } }),
    withEnumMember: (def: TypeDef, { name, value, description }) => {
      const known = def.enumeration as EnumDef
      const members = [...known.members, { name, value, description }]
      return typeDef({ ...def, enumeration: { ...known, members } })
    },
  },
  Function: {
    withDescription: (def: FunctionDef, { description }) => fn({ ...def, description }),
    withArg: (def: FunctionDef, { name, typeDef: type, ...rest }, byId) => {
      const { description, defaultValue, defaultPath, defaultAddress, ignore } = rest as Partial<ArgumentDef>
      const options = { description, defaultValue, defaultPath, defaultAddress, ignore }
      return fn({ ...def, args: [...def.args, { name, type: plain(byId(type) as TypeDef), ...options }] })
    },
    withSourceMap: (def: FunctionDef) => fn(def),
    withCachePolicy: (def: FunctionDef) => fn(def),
    withDeprecated: (def: FunctionDef) => fn(def),
    withCheck: (def: FunctionDef) => fn({ ...def, isCheck: true }),
    withGenerator: (def: FunctionDef) => fn(def),
    withUp: (def: FunctionDef) => fn(def),
  },
  Module: {
    withDescription: (def: ModuleDef, { description }) => module({ ...def, description }),
    withObject: (def: ModuleDef, { object }, byId) =>
      module({ ...def, objects: put(def.objects, (byId(object) as TypeDef).object as ObjectDef) }),
    withEnum: (def: ModuleDef, args, byId) =>
      module({ ...def, enums: put(def.enums, (byId(args.enum) as TypeDef).enumeration as EnumDef) }),
    withInterface: (def: ModuleDef) => module(def),
  },
}

function typeDef(value: TypeDef): Node {
  return { type: "TypeDef", value }
}

function fn(value: FunctionDef): Node {
  return { type: "Function", value }
}

function module(value: ModuleDef): Node {
  return { type: "Module", value }
}

function withObject(def: TypeDef, change: (object: ObjectDef) => ObjectDef): Node {
  return typeDef({ ...def, object: change(def.object as ObjectDef) })
}

/** The reference alone, without what the type is made of. */
function plain({ kind, optional, name, element }: TypeDef): TypeRef {
  return { kind, optional, name, element }
}

function put<T extends Named>(list: T[], added: T): T[] {
  return [...list.filter(one => one.name !== added.name), added]
}
