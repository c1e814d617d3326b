import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type FieldNode, parse, type SelectionSetNode } from "graphql"
import { Chains, type Fields } from "./chain.js"

/** Where a session answers: a port of the loopback interface and the token that opens it. */
export interface SessionAddress {
  port: number
  token: string
}

/**
 * The session as one run of the module's code sees it. What concerns that run alone (which function to call, with what,
 * and what came of it) is answered here; all else goes to the shared session as it is.
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
    // The module may be busy for long between two questions on one connection.
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

/** What a query asks for first; undefined where it is none, which is for the session to say. */
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
