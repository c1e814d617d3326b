import { lookup } from "node:dns/promises"
import { readFileSync } from "node:fs"
import { createServer, type Server, type ServerResponse } from "node:http"
import { isIP } from "node:net"
import { assertAccount } from "../aws/account.js"
import type { Aws } from "../aws/clients.js"
import { type CredentialSettings, credentialsOf } from "../aws/credentials.js"
import { openService, type Target } from "../ecs/service.js"
import type { ServiceRef } from "../settings.js"
import { live, style } from "./assets.js"
import type { Facts, PlaceFacts } from "./facts.js"
import { main, page } from "./page.js"
import { isBusy, Reader, type State } from "./state.js"

// What is in a container of its own, in which nothing else of the module is: ../dashboard.ts puts it there.

/** How often everything is read again, in milliseconds: while something is going on, otherwise, and after a failure. */
const freshness = { busy: 2_500, idle: 15_000, failed: 30_000 }
/** How long an unchanged deployment still counts as "something is going on": after that, it probably waits for somebody. */
const patience = 10 * 60_000
/** How long the first request waits for the first state. */
const firstWait = 1_500

/** What the page may load: only what comes from here, and no inline scripts or styles. */
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
  let state: State | undefined
  let reading: Promise<void> | undefined
  let until = 0
  let changed = { at: Date.now(), what: "" }
  /** When to read again, after this state. */
  const wait = (found: State): number => {
    const seen = found.apps.flatMap(({ services }) => services)
    if (seen.some(it => "error" in it || it.stale)) return freshness.failed
    const what = JSON.stringify(seen.map(it => "status" in it && [it.status.running, it.deployments.at(-1)]))
    if (what !== changed.what) changed = { at: Date.now(), what }
    return isBusy(found) && Date.now() - changed.at < patience ? freshness.busy : freshness.idle
  }
  const refresh = async () => {
    try {
      state = await read()
      until = Date.now() + wait(state)
    } catch (error) {
      console.error((error as Error).message)
      until = Date.now() + freshness.failed
    } finally {
      reading = undefined
    }
  }
  // However many browsers ask, only one read of AWS runs at a time, and only the first answer has to wait for it.
  const current = async (): Promise<State | undefined> => {
    if (Date.now() > until) reading ??= refresh()
    if (!state && reading) {
      const late = new Promise<void>(resolve => setTimeout(resolve, firstWait).unref())
      await Promise.race([reading, late])
    }
    return state
  }
  return createServer(async ({ method, url = "/", headers: asked }, response) => {
    if (!isOwnName(asked.host))
      return answer(response, 403, "text/plain", "Use the address that dagger printed.\n")
    if (method !== "GET" && method !== "HEAD")
      return answer(response, 405, "text/plain", "Method not allowed\n")
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
          return answer(response, 404, "text/plain", "Not found\n")
      }
    } catch (error) {
      console.error((error as Error).message)
      return answer(response, 500, "text/plain", "The page could not be created; see the log.\n")
    }
  })
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { ...headers, "content-type": `${type}; charset=utf-8` })
  response.end(response.req.method === "HEAD" ? undefined : body)
}

/** An IP address, or a name that no public name server knows: so a stranger's page cannot reach this server under its own domain. */
function isOwnName(host = ""): boolean {
  const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "")
  return isIP(name) !== 0 || name === "localhost" || (name !== "" && !name.includes("."))
}

/** The paths and names under which the dashboard's container finds what it needs. */
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
  const connect = async (place: PlaceFacts, where: ServiceRef): Promise<Target> => {
    const key = JSON.stringify([place.account, place.region, place.roleArn])
    const known = connections.get(key) ?? connectionTo(place, endpoint)
    connections.set(key, known)
    known.catch(() => connections.delete(key))
    return openService(await known, where)
  }
  const reader = new Reader(facts, connect)
  // If the AWS stand-in is on this container's own loopback, the container shares its host's network: then nobody else may reach it.
  const { address = "" } = endpoint ? await lookup(container.aws) : {}
  const host = address.startsWith("127.") ? "127.0.0.1" : "0.0.0.0"
  serverOf(() => reader.read()).listen(Number(PORT), host)
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit(0))
}

async function connectionTo(
  { account, region, roleArn }: PlaceFacts,
  endpoint: string | undefined,
): Promise<Aws> {
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
  const aws = { region, endpoint, credentials: await credentialsOf(settings, { region, endpoint }) }
  if (account !== "") await assertAccount(aws, account)
  return aws
}
