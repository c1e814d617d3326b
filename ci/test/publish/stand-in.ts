import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"

/** A request that came in, and the body of the answer. */
export type Asked = {
  method: string
  path: string
  headers: IncomingMessage["headers"]
  body: Record<string, unknown>
}
type Answer = [status: number, body?: unknown]

/** Starts a server on loopback that answers by a function, and notes what it was asked. */
export async function standIn(answer: (asked: Asked) => Answer) {
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const text = Buffer.concat(parts).toString()
    const { method = "", url = "", headers } = request
    const one = { method, path: url, headers, body: text === "" ? {} : JSON.parse(text), text }
    asked.push(one)
    const [status, body] = answer(one)
    response.writeHead(status, {
      "content-type": "application/json",
      ...(status === 302 && { location: "/elsewhere" }),
    })
    response.end(body === undefined ? "" : JSON.stringify(body))
  })
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    close: () => new Promise(resolve => server.close(resolve)),
  }
}

/** What a host has of a repository. */
export type Hosted = {
  releases: Map<string, Record<string, unknown>>
  statuses: Record<string, unknown>[]
  deployments: { id: number; sha: string; environment: string; states: string[] }[]
}

const hosted = (): Hosted => ({ releases: new Map(), statuses: [], deployments: [] })

/** GitHub's REST API (2022-11-28), as far as a release asks it: paths, required fields, allowed states, statuses of answers. */
export async function githubStandIn(token: string, repository = "team/web") {
  const has = hosted()
  const root = `/api/v3/repos/${repository}`
  const server = await standIn(({ method, path, headers, body }): Answer => {
    if (headers.authorization !== `Bearer ${token}`) return [401, { message: "Bad credentials" }]
    if (!headers["user-agent"]) return [403, { message: "Request forbidden by administrative rules" }]
    const [, where = "", query = ""] = /^([^?]*)\??(.*)$/.exec(path) ?? []
    if (!where.startsWith(root)) return [404, { message: "Not Found" }]
    const rest = where.slice(root.length)
    const invalid: Answer = [422, { message: "Validation Failed" }]
    if (method === "POST" && /^\/statuses\/[0-9a-f]{40}$/.test(rest)) {
      if (!["error", "failure", "pending", "success"].includes(String(body.state))) return invalid
      if (String(body.description).length > 140) return invalid
      has.statuses.push({ sha: rest.split("/")[2], ...body })
      return [201, {}]
    }
    if (method === "GET" && rest === "/deployments") {
      const asked = new URLSearchParams(query)
      const found = has.deployments.filter(
        it => it.sha === asked.get("sha") && it.environment === asked.get("environment"),
      )
      return [200, found.reverse().map(({ id }) => ({ id }))]
    }
    if (method === "POST" && rest === "/deployments") {
      // Without an empty list every status has to be green first, and this release's own is pending (409).
      if (!Array.isArray(body.required_contexts))
        return [409, { message: "Conflict: Commit status checks failed" }]
      if (typeof body.ref !== "string") return invalid
      has.deployments.push({
        ...{
          id: has.deployments.length + 1,
          sha: body.ref,
          environment: String(body.environment),
          states: [],
        },
      })
      return [201, { id: has.deployments.length }]
    }
    const [, id] = /^\/deployments\/(\d+)\/statuses$/.exec(rest) ?? []
    if (method === "POST" && id !== undefined) {
      const states = ["error", "failure", "inactive", "in_progress", "queued", "pending", "success"]
      const found = has.deployments.find(it => it.id === Number(id))
      if (!found) return [404, { message: "Not Found" }]
      if (!states.includes(String(body.state)) || String(body.description).length > 140) return invalid
      found.states.push(String(body.state))
      return [201, {}]
    }
    const [, tag] = /^\/releases\/tags\/(.+)$/.exec(rest) ?? []
    if (method === "GET" && tag !== undefined) {
      const found = has.releases.get(decodeURIComponent(tag))
      return found ? [200, found] : [404, { message: "Not Found" }]
    }
    if (method === "POST" && rest === "/releases") {
      const name = String(body.tag_name)
      if (has.releases.has(name))
        return [422, { message: "Validation Failed", errors: [{ code: "already_exists" }] }]
      const made = { ...body, html_url: `https://github.example.com/${repository}/releases/tag/${name}` }
      has.releases.set(name, made)
      return [201, made]
    }
    return [404, { message: "Not Found" }]
  })
  return { ...server, ...has, api: `${server.url}/api/v3` }
}

/** GitLab's REST API (v4), as far as a release asks it. */
export async function gitlabStandIn(token: string, project = "team/sub/web") {
  const has = hosted()
  const root = `/api/v4/projects/${encodeURIComponent(project)}`
  const server = await standIn(({ method, path, headers, body }): Answer => {
    const mayCall = headers.authorization === `Bearer ${token}` || headers["job-token"] === token
    if (!mayCall) return [401, { message: "401 Unauthorized" }]
    const [, where = "", query = ""] = /^([^?]*)\??(.*)$/.exec(path) ?? []
    if (!where.startsWith(root)) return [404, { message: "404 Project Not Found" }]
    const rest = where.slice(root.length)
    const invalid: Answer = [400, { error: "status does not have a valid value" }]
    if (method === "POST" && /^\/statuses\/[0-9a-f]{40}$/.test(rest)) {
      if (!["pending", "running", "success", "failed", "canceled"].includes(String(body.state)))
        return invalid
      const sha = rest.split("/")[2]
      const last = has.statuses.filter(it => it.sha === sha).at(-1)
      if (last?.state === body.state)
        return [400, { message: `Cannot transition status via :run from :${body.state}` }]
      has.statuses.push({ sha, ...body })
      return [201, {}]
    }
    const allowed = ["running", "success", "failed", "canceled"]
    if (rest === "/deployments" && method === "GET") {
      const environment = new URLSearchParams(query).get("environment")
      return [200, has.deployments.filter(it => it.environment === environment).reverse()]
    }
    if (rest === "/deployments" && method === "POST") {
      const complete = ["environment", "sha", "ref", "tag", "status"].every(name => body[name] !== undefined)
      if (!complete || !allowed.includes(String(body.status))) return invalid
      const id = has.deployments.length + 1
      const { sha, environment, status } = body
      has.deployments.push({
        id,
        sha: String(sha),
        environment: String(environment),
        states: [String(status)],
      })
      return [201, { id }]
    }
    const [, id] = /^\/deployments\/(\d+)$/.exec(rest) ?? []
    if (method === "PUT" && id !== undefined) {
      if (!allowed.includes(String(body.status))) return invalid
      has.deployments.find(it => it.id === Number(id))?.states.push(String(body.status))
      return [200, {}]
    }
    if (rest === "/environments" && method === "GET") return [200, []]
    const [, tag] = /^\/releases\/(.+)$/.exec(rest) ?? []
    if (method === "GET" && tag !== undefined) {
      const found = has.releases.get(decodeURIComponent(tag))
      return found ? [200, found] : [404, { message: "404 Not Found" }]
    }
    if (method === "POST" && rest === "/releases") {
      const name = String(body.tag_name)
      if (has.releases.has(name)) return [409, { message: "Release already exists" }]
      has.releases.set(name, {
        ...body,
        _links: { self: `https://gitlab.example.com/${project}/-/releases/${name}` },
      })
      return [201, has.releases.get(name)]
    }
    return [404, { error: "404 Not Found" }]
  })
  return { ...server, ...has, api: `${server.url}/api/v4` }
}
