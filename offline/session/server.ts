import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { resolve } from "node:path"
import type { DockerTarget } from "../machine/docker.js"
import { Api, fields } from "./api.js"
import { endSession, enter, forget, removeLeftovers } from "./cleanup.js"
import { DockerApi, readAll } from "./docker.js"
import { UserError } from "./errors.js"
import { Session } from "./session.js"
import { Store } from "./store.js"

export { openTerminal } from "./exec.js"
export { decodeId, encodeId, Recipe } from "./recipe.js"
export { hostServiceId } from "./service.js"

export interface SessionOptions {
  docker: DockerTarget
  /** Where contents and records are kept; may be shared by sessions. */
  stateDir: string
  /** Gives a reference that the daemon has locally for any image reference. If left out: the same. */
  resolveImage?: (reference: string) => Promise<string>
  /** The caller's folder, inside its workspace. If left out: this process's. */
  workdir?: string
  /** Takes progress, line by line, without secrets: commands, their output, builds. */
  log?: (line: string, detail?: boolean) => void
}

export interface RunningSession {
  /** On 127.0.0.1. */
  port: number
  /** The user name to authenticate with; there is no password. */
  token: string
  /** What runs the queries, for callers in this process. */
  session: Session
  /** Ends services and running commands, and the server. */
  close(): Promise<void>
}

/** Removes what sessions keep in Docker between runs; their state directory is the caller's to remove. */
export async function forgetSessions(docker: DockerTarget, stateDir: string): Promise<void> {
  const api = new DockerApi(docker)
  await forget(api, stateDir).finally(() => api.close())
}

/** Starts a session: a server that speaks the Dagger API on POST /query, as the real command line's does. */
export async function startSession(options: SessionOptions): Promise<RunningSession> {
  const docker = new DockerApi(options.docker)
  const resolveImage = options.resolveImage ?? (async reference => reference)
  const session = new Session(
    docker,
    new Store(options.stateDir),
    fields,
    resolveImage,
    options.log ?? (() => {}),
    resolve(options.workdir ?? "."),
  )
  await enter(session)
  await removeLeftovers(session)
  const api = new Api()
  const token = randomUUID()
  const expected = `Basic ${Buffer.from(`${token}:`).toString("base64")}`

  const server = createServer((request, response) => {
    if (request.headers.authorization !== expected)
      return send(response, 401, { errors: [{ message: "unauthorized" }] })
    if (request.method !== "POST" || request.url?.split("?")[0] !== "/query") return send(response, 404, {})
    answer(api, session, request).then(
      ({ status, body }) => send(response, status, body),
      error => send(response, 400, { errors: [{ message: (error as Error).message }], data: null }),
    )
  })
  server.keepAliveTimeout = 0 // a client may be busy for a long time between two queries
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve)
  })
  const close = async () => {
    server.close()
    server.closeAllConnections()
    await endSession(session)
    docker.close()
  }
  return { port: (server.address() as AddressInfo).port, token, session, close }
}

async function answer(api: Api, session: Session, request: IncomingMessage) {
  const { query, variables } = JSON.parse((await readAll(request)).toString())
  if (typeof query !== "string") throw new UserError("the request has no query")
  return api.ask(session, query, variables)
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}
