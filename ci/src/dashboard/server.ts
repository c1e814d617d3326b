import { lookup } from "node:dns/promises"
import { readFileSync } from "node:fs"
import { createServer, type Server, type ServerResponse } from "node:http"
import { isIP } from "node:net"
import type { Aws } from "../aws/clients.js"
import { type CredentialSettings, credentialsOf } from "../aws/credentials.js"
import { live, style } from "./assets.js"
import type { Facts, PlaceFacts } from "./facts.js"
import { main, page } from "./page.js"
import { isBusy, Reader, type State } from "./state.js"

// What is in a container of its own, in which nothing else of the module is: src/dashboard.ts puts it there.

/** How long what was read is shown before it is read again, in milliseconds: while something is going on, and else. */
const freshness = { busy: 2_000, idle: 10_000 }

/** What the page may do: nothing but what comes from here, and no inline scripts or styles. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ")

const headers = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
}

/**
 * The server of the page: it answers GET, and changes nothing.
 *
 * @param read reads the state
 */
export function serverOf(read: () => Promise<State>): Server {
  let state: Promise<State> | undefined
  let until = 0
  // However many ask, AWS is asked once at a time.
  const current = async () => {
    if (!state || Date.now() > until) {
      until = Number.POSITIVE_INFINITY
      const reading = read()
      state = reading
      reading.then(
        found => (until = Date.now() + (isBusy(found) ? freshness.busy : freshness.idle)),
        () => (until = 0),
      )
    }
    return state
  }
  return createServer(async ({ method, url = "/", headers: asked }, response) => {
    if (!isOwnName(asked.host))
      return answer(response, 403, "text/plain", "Use the address that dagger printed.\n")
    if (method !== "GET" && method !== "HEAD") return answer(response, 405, "text/plain", "GET alone\n")
    try {
      switch (url.split("?", 1)[0]) {
        case "/":
          return answer(response, 200, "text/html", page(await current()))
        case "/main":
          return answer(response, 200, "text/html", main(await current()).text)
        case "/style.css":
          return answer(response, 200, "text/css", style)
        case "/live.js":
          return answer(response, 200, "text/javascript", live)
        default:
          return answer(response, 404, "text/plain", "There is no such page.\n")
      }
    } catch (error) {
      console.error((error as Error).message)
      return answer(response, 500, "text/plain", "The page could not be made; the log says why.\n")
    }
  })
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { ...headers, "content-type": `${type}; charset=utf-8` })
  response.end(response.req.method === "HEAD" ? undefined : body)
}

/** An address, or a name that no public name server knows: a stranger's page cannot have the browser ask here in its own name. */
function isOwnName(host = ""): boolean {
  const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "")
  return isIP(name) !== 0 || name === "localhost" || (name !== "" && !name.includes("."))
}

/** The names under which a container of the dashboard finds what it needs. */
export const container = {
  facts: "/dashboard/facts.json",
  program: "/dashboard/server.mjs",
  aws: "aws",
} as const

/** The credentials' variables. */
export const variables = {
  awsCredentials: "DASHBOARD_AWS_CREDENTIALS",
  awsAccessKeyId: "DASHBOARD_AWS_ACCESS_KEY_ID",
  awsSecretAccessKey: "DASHBOARD_AWS_SECRET_ACCESS_KEY",
  awsSessionToken: "DASHBOARD_AWS_SESSION_TOKEN",
} as const

/** Serves the page in its container, until it is stopped. */
export async function serve(): Promise<void> {
  const { PORT = "8080", AWS_STAND_IN: endpoint } = process.env
  const facts = JSON.parse(readFileSync(container.facts, "utf8")) as Facts
  const connections = new Map<string, Promise<Aws>>()
  const connect = async (place: PlaceFacts) => {
    const key = `${place.region} ${place.roleArn}`
    const known = connections.get(key) ?? connectionTo(place, endpoint)
    connections.set(key, known)
    known.catch(() => connections.delete(key))
    return known
  }
  const reader = new Reader(facts, connect)
  // If what stands in for AWS is on this container's own loopback, it shares the network of its host: then nobody else is to reach it.
  const { address = "" } = endpoint ? await lookup(container.aws) : {}
  const host = address.startsWith("127.") ? "127.0.0.1" : "0.0.0.0"
  serverOf(() => reader.read()).listen(Number(PORT), host)
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit(0))
}

async function connectionTo({ region, roleArn }: PlaceFacts, endpoint: string | undefined): Promise<Aws> {
  const secret = (name: string) => {
    const value = process.env[name]
    return value ? ({ plaintext: async () => value } as CredentialSettings["awsCredentials"]) : undefined
  }
  const settings = {
    awsCredentials: secret(variables.awsCredentials),
    awsAccessKeyId: secret(variables.awsAccessKeyId),
    awsSecretAccessKey: secret(variables.awsSecretAccessKey),
    awsSessionToken: secret(variables.awsSessionToken),
    roleArn,
  }
  return { region, endpoint, credentials: await credentialsOf(settings, { region, endpoint }) }
}
