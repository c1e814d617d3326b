import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type FieldNode, Kind, parse, type SelectionSetNode, valueFromASTUntyped } from "graphql"

/** Where a session answers: a port of the loopback interface and the token that opens it. */
export interface SessionAddress {
  port: number
  token: string
}

/**
 * The session as one run of the module's code sees it. What concerns that run alone (which function to call, with what,
 * and the result) is answered here; everything else goes to the shared session unchanged.
 */
export class Endpoint {
  private readonly server: Server
  private readonly token = randomUUID()
  private readonly chains: Chains

  /** `session` may still be starting: what is meant for it waits. Without one, its fields are errors. */
  constructor(
    fields: Fields,
    private readonly session?: Promise<SessionAddress>,
  ) {
    this.chains = new Chains(fields, `call-${this.token}-`)
    this.server = createServer((incoming, outgoing) => {
      this.serve(incoming, outgoing).catch(error => {
        if (!outgoing.headersSent) outgoing.writeHead(200, { "content-type": "application/json" })
        outgoing.end(JSON.stringify({ data: null, errors: [{ message: (error as Error).message }] }))
      })
    })
    // The module may be busy for a long time between two requests on one connection.
    this.server.requestTimeout = 0
    this.server.keepAliveTimeout = 0
  }

  /** Starts to listen. */
  async open(): Promise<SessionAddress> {
    await new Promise<void>(resolve => this.server.listen(0, "127.0.0.1", resolve))
    return { port: (this.server.address() as AddressInfo).port, token: this.token }
  }

  /** Stops at once; requests under way are cut off. */
  close(): void {
    this.server.close()
    this.server.closeAllConnections()
  }

  private async serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (incoming.headers.authorization !== basic(this.token)) {
      outgoing.writeHead(401).end()
      return
    }
    const parts: Buffer[] = []
    for await (const part of incoming) parts.push(part as Buffer)
    const body = Buffer.concat(parts)
    const selection = selectionOf((JSON.parse(body.toString()) as { query: string }).query)
    if (selection && (!this.session || this.chains.owns(selection.selections[0] as FieldNode))) {
      const data = await this.chains.answer(selection)
      outgoing.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ data }))
      return
    }
    if (!this.session) throw new Error("expected one query")
    forward(await this.session, incoming, body, outgoing)
  }
}

/** Passes a request on to the session, and its answer back. There is no time limit: a build may take hours. */
function forward(
  to: SessionAddress,
  incoming: IncomingMessage,
  body: Buffer,
  outgoing: ServerResponse,
): void {
  const headers = { "content-type": "application/json", authorization: basic(to.token) }
  const options = {
    host: "127.0.0.1",
    port: to.port,
    path: incoming.url,
    method: incoming.method,
    headers,
    agent: false,
  } as const
  const onward = request(options, answer => {
    outgoing.writeHead(answer.statusCode ?? 502, { "content-type": "application/json" })
    answer.pipe(outgoing)
  })
  onward.once("error", error => outgoing.destroy(error))
  outgoing.once("close", () => onward.destroy())
  onward.end(body)
}

/** What a query asks for first; undefined if it isn't one, which the session will report. */
function selectionOf(query: string): SelectionSetNode | undefined {
  try {
    const operation = parse(query, { noLocation: true }).definitions[0]
    return operation?.kind === "OperationDefinition" ? operation.selectionSet : undefined
  } catch {
    return undefined
  }
}

function basic(token: string): string {
  return `Basic ${Buffer.from(`${token}:`).toString("base64")}`
}

/** An object that a query can walk on from. */
export interface Node {
  type: string
  // biome-ignore lint/suspicious/noExplicitAny: each type's fields know its own value
  value: any
}

type Args = Record<string, unknown>

/** What a field of a type gives: a Node, a list of Nodes or a plain value. `byId` finds the Node an ID names. */
// biome-ignore lint/suspicious/noExplicitAny: see Node
export type Field = (value: any, args: any, byId: (id: unknown) => any) => unknown

/** The fields of each type, by the type's name. */
export type Fields = Record<string, Record<string, Field>>

/**
 * Answers queries that walk along chains of calls, the only shape the SDK sends. IDs name values that are kept here for as
 * long as this object lives. It knows no schema: the only caller is the SDK, and a field that is missing is an error.
 */
export class Chains {
  private readonly kept = new Map<string, Node>()

  constructor(
    private readonly fields: Fields,
    private readonly prefix: string,
  ) {}

  /** True if the query starts with one of our fields, or loads one of our IDs. */
  owns(first: FieldNode): boolean {
    if (first.name.value === "node") return String(argsOf(first).id).startsWith(this.prefix)
    return first.name.value in (this.fields.Query ?? {})
  }

  /** The data that a query's selection asks for, from the root. */
  async answer(selection: SelectionSetNode): Promise<Record<string, unknown>> {
    return this.select({ type: "Query", value: undefined }, selection)
  }

  private async select(parent: Node, selection: SelectionSetNode): Promise<Record<string, unknown>> {
    const data: Record<string, unknown> = {}
    for (const one of selection.selections) {
      if (one.kind === Kind.INLINE_FRAGMENT) Object.assign(data, await this.select(parent, one.selectionSet))
      if (one.kind === Kind.FIELD) data[one.name.value] = await this.field(parent, one)
    }
    return data
  }

  private async field(parent: Node, asked: FieldNode): Promise<unknown> {
    const name = asked.name.value
    const args = argsOf(asked)
    if (name === "id" && parent.type !== "Query") return this.keep(parent)
    const found =
      name === "node" && parent.type === "Query"
        ? this.load(args.id)
        : await this.resolve(parent.type, name)(parent.value, args, id => this.load(id).value)
    if (!asked.selectionSet) return found ?? null
    const nested = asked.selectionSet
    if (Array.isArray(found)) return Promise.all(found.map(node => this.select(node as Node, nested)))
    return this.select(found as Node, nested)
  }

  private resolve(type: string, name: string): Field {
    const field = this.fields[type]?.[name]
    if (!field) throw new Error(`Cannot query field "${name}" on type "${type}".`)
    return field
  }

  private keep(node: Node): string {
    const id = `${this.prefix}${this.kept.size}`
    this.kept.set(id, node)
    return id
  }

  private load(id: unknown): Node {
    const node = this.kept.get(String(id))
    if (!node) throw new Error(`no object has the ID ${String(id)}`)
    return node
  }
}

function argsOf(field: FieldNode): Args {
  return Object.fromEntries(
    (field.arguments ?? []).map(arg => [arg.name.value, valueFromASTUntyped(arg.value)]),
  )
}
