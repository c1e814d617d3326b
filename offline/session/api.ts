import { readFileSync } from "node:fs"
import {
  buildASTSchema,
  execute,
  type GraphQLError,
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
import { container, containerFields, pathFields } from "./container.js"
import { directory, directoryFields, file, fileFields } from "./directory.js"
import { engineVersion } from "./engine.js"
import { traced } from "./errors.js"
import {
  currentWorkspace,
  findWorkspace,
  hostFields,
  keepSecret,
  secret,
  secretFields,
  setSecret,
  workspaceFields,
} from "./host.js"
import { platformOf } from "./image.js"
import { BadId, decodeId, encodeId, Recipe } from "./recipe.js"
import { publishFields } from "./registry.js"
import { asService, serviceFields } from "./service.js"
import { type Fields, MARK, type Session } from "./session.js"
import { keyOf } from "./store.js"

/** How each field of the schema is made. */
export const fields: Fields = {
  Query: {
    container,
    directory,
    file,
    secret,
    setSecret,
    host: () => ({}),
    currentWorkspace,
    // Objects of lists (variables, labels, ports) hold what they are.
    value: (_, __, value) => value,
    version: () => engineVersion(),
    defaultPlatform: session => platformOf(session),
    cacheVolume: (session, _, { key }) => ({ volume: `${MARK}-${session.place}-${keyOf(key).slice(0, 20)}` }),
  },
  Host: hostFields,
  Workspace: workspaceFields,
  Container: { ...containerFields, ...pathFields, ...publishFields, asService },
  Directory: directoryFields,
  File: fileFields,
  Secret: secretFields,
  Service: serviceFields,
  EnvVariable: parts("name", "value"),
  Label: parts("name", "value"),
  Port: parts("port", "protocol"),
}

/** Fields that are parts of the value. */
function parts(...names: string[]): Fields[string] {
  return Object.fromEntries(names.map(name => [name, (_, value) => value[name] ?? null]))
}

/** An answer to a query, and its HTTP status. */
export interface Answer {
  status: number
  body: { data?: unknown; errors?: object[] }
}

/** The API: a schema, and how its fields are resolved. */
export class Api {
  private readonly schema: GraphQLSchema

  constructor() {
    const core = parse(readFileSync(new URL("schema.graphql", import.meta.url), "utf8"))
    this.schema = buildASTSchema(core)
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
    if (mistakes.length > 0) return refused(mistakes)
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
    // A field that returns an ID and no value (sync, start, stop) acts on its parent.
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
    if (typeof id !== "string") throw new BadId("an ID must be a string")
    return decodeId(id, type)
  }
  scalar.parseValue = read
  scalar.parseLiteral = (node: { kind: string; value?: string }) =>
    read(node.kind === Kind.STRING ? node.value : undefined)
  scalar.serialize = (value: unknown) => (value instanceof Recipe ? encodeId(value) : value)
}

/** The answer to something that isn't GraphQL: just the parser's message, without a trace. */
function unreadable({ message, locations }: GraphQLError): Answer {
  const bare = message.replace(/^Syntax Error: /, "").replace(/\.$/, "")
  const extensions = { code: "GRAPHQL_PARSE_FAILED" }
  return { status: 422, body: { errors: [{ message: bare, locations, extensions }], data: null } }
}

function refused(errors: readonly GraphQLError[]): Answer {
  const bad = errors.find(error => error.originalError instanceof BadId)
  if (bad) return { status: 422, body: { errors: [{ message: bad.message }] } }
  const extensions = { code: "GRAPHQL_VALIDATION_FAILED" }
  const shown = errors.map(({ message, locations }) => ({ message, locations, extensions }))
  return { status: 422, body: { errors: shown, data: null } }
}

function failed(error: GraphQLError): object {
  const original = error.originalError as (Error & { extensions?: Record<string, unknown> }) | undefined
  const extensions = original?.extensions
  const path = error.path?.filter(part => typeof part === "string")
  return { message: traced(error.message), path, ...(extensions ? { extensions } : {}) }
}
