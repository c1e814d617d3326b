import { readFileSync } from "node:fs"
import {
  buildASTSchema,
  concatAST,
  execute,
  type GraphQLError,
  type GraphQLFieldResolver,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isInterfaceType,
  isListType,
  isObjectType,
  isScalarType,
  Kind,
  parse,
  validate,
} from "graphql"
import { traced } from "./errors.js"
import { BadId, decodeId, encodeId, Recipe } from "./recipe.js"
import { keepSecret } from "./secret.js"
import type { Session } from "./session.js"
import { findWorkspace } from "./workspace.js"

// biome-ignore lint/suspicious/noExplicitAny: resolvers have the types that the schema gives them
export type Resolvers = Record<string, Record<string, GraphQLFieldResolver<any, Session>>>

/** More fields and types for the schema. An object type that implements Node has recipes for IDs, as the core's do. */
export interface Extension {
  typeDefs: string
  resolvers: Resolvers
}

/** An answer to a query, and its HTTP status. */
export interface Answer {
  status: number
  body: { data?: unknown; errors?: object[] }
}

/** The API: a schema, and how its fields are resolved. */
export class Api {
  private readonly schema: GraphQLSchema
  private readonly resolvers: Resolvers

  constructor(extension?: Extension) {
    const core = parse(readFileSync(new URL("schema.graphql", import.meta.url), "utf8"))
    const own = extension ? [parse(extension.typeDefs)] : []
    this.schema = buildASTSchema(extendInPlace(concatAST([core, ...own])))
    this.resolvers = extension?.resolvers ?? {}
    for (const type of Object.values(this.schema.getTypeMap())) {
      if (isScalarType(type) && /.ID$/.test(type.name)) useRecipes(type)
      if (isInterfaceType(type)) type.resolveType = (value: Recipe) => value.type
    }
  }

  /** Answers a query. Errors are in the answer; nothing is thrown for a caller's mistake. */
  async ask(session: Session, query: string, variables?: Record<string, unknown>): Promise<Answer> {
    let document: ReturnType<typeof parse>
    try {
      document = parse(query)
    } catch (error) {
      return unreadable(error as GraphQLError)
    }
    const mistakes = validate(this.schema, document)
    if (mistakes.length > 0) return refused(mistakes, query)
    const { data, errors } = await execute({
      schema: this.schema,
      document,
      contextValue: session,
      variableValues: variables ?? {},
      fieldResolver: (source, args, _, info) => this.resolve(session, source, args, info),
    })
    if (!errors) return { status: 200, body: { data } }
    return { status: 200, body: { errors: errors.map(failed), data: null } }
  }

  private resolve(
    session: Session,
    source: unknown,
    args: Recipe["args"],
    info: GraphQLResolveInfo,
  ): unknown {
    const { fieldName: field, parentType, returnType } = info
    const resolver = this.resolvers[parentType.name]?.[field]
    if (resolver) return resolver(source, args, session, info)
    if (parentType.name === "Query") {
      if (field === "node") return decodeId(args.id as string)
      if (field === "setSecret") return keepSecret(session, args.name as string, args.plaintext as string)
      if (field === "currentWorkspace") return findWorkspace(session.workdir)
      if (/^load.+FromID$/.test(field)) return args.id
    } else if (!(source instanceof Recipe)) return (source as Record<string, unknown>)[field]
    const parent = source as Recipe | undefined
    if (field === "id") return encodeId(parent as Recipe)
    const type = getNamedType(returnType)
    const node = isObjectType(type) && type.getInterfaces().length > 0
    const list = isListType(getNullableType(returnType))
    if (node && !list) return new Recipe(type.name, field, args, parent)
    const value = session.leaf(parent, parentType.name, field, args)
    if (node)
      return value.then(values =>
        (values as Recipe["args"][]).map(one => new Recipe(type.name, "value", one)),
      )
    // What gives an ID and no value (sync, start, stop) acts on its parent.
    return type.name === "ID" ? value.then(() => encodeId(parent as Recipe)) : value
  }
}

/** A scalar such as ContainerID takes an ID and gives fields its recipe. */
function useRecipes(scalar: {
  name: string
  parseValue: unknown
  parseLiteral: unknown
  serialize: unknown
}): void {
  const type = scalar.name.slice(0, -2)
  const read = (id: unknown) => {
    if (typeof id !== "string") throw new BadId("an ID is a text")
    return decodeId(id, type)
  }
  scalar.parseValue = read
  scalar.parseLiteral = (node: { kind: string; value?: string }) =>
    read(node.kind === Kind.STRING ? node.value : undefined)
  scalar.serialize = (value: unknown) => (value instanceof Recipe ? encodeId(value) : value)
}

/** The answer to what is no GraphQL: the parser's bare message, without a trace. */
function unreadable({ message, locations }: GraphQLError): Answer {
  const bare = message.replace(/^Syntax Error: /, "").replace(/\.$/, "")
  const extensions = { code: "GRAPHQL_PARSE_FAILED" }
  return { status: 422, body: { errors: [{ message: bare, locations, extensions }], data: null } }
}

function refused(errors: readonly GraphQLError[], query: string): Answer {
  const bad = errors.find(error => error.originalError instanceof BadId)
  if (bad) return { status: 422, body: { errors: [{ message: badId(bad, query) }] } }
  const extensions = { code: "GRAPHQL_VALIDATION_FAILED" }
  const shown = errors.map(({ message, locations }) => ({ message, locations, extensions }))
  return { status: 422, body: { errors: shown, data: null } }
}

/** A wrong ID as the engine words it, with the query and the argument. */
function badId(error: GraphQLError, query: string): string {
  const [, before = ""] = [error, query.slice(0, error.nodes?.[0]?.loc?.start)]
  const [, field = "", arg = ""] = /(\w+)\s*\([^()]*?(\w+)\s*:\s*\[?\s*$/.exec(before) ?? []
  const type = /"(\w+)ID!?"/.exec(error.message)?.[1] ?? ""
  const dagql = `dagql.ID[*github.com/dagger/dagger/core.${type}]`
  const where = `parse selections: parse field "${field}": init arg "${arg}" value as ${dagql} (${type}ID!) using ${dagql}`
  return `query:\n${query}\n\nerror: ${where}: ${error.originalError?.message}`
}

function failed(error: GraphQLError): object {
  const original = error.originalError as (Error & { extensions?: Record<string, unknown> }) | undefined
  const extensions = original?.extensions
  const path = error.path?.filter(part => typeof part === "string")
  return { message: traced(error.message), path, ...(extensions ? { extensions } : {}) }
}

/** The document with each `extend type X` made part of X, as a schema wants it. */
function extendInPlace(document: ReturnType<typeof parse>): ReturnType<typeof parse> {
  const extensions = document.definitions.filter(one => one.kind === Kind.OBJECT_TYPE_EXTENSION)
  const definitions = document.definitions
    .filter(one => one.kind !== Kind.OBJECT_TYPE_EXTENSION)
    .map(one => {
      if (one.kind !== Kind.OBJECT_TYPE_DEFINITION) return one
      const more = extensions.filter(extension => extension.name.value === one.name.value)
      return { ...one, fields: [...(one.fields ?? []), ...more.flatMap(extension => extension.fields ?? [])] }
    })
  return { ...document, definitions }
}
