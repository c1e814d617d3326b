import { request } from "node:http"
import type { SessionAddress } from "../session/module/endpoint.js"
import { apiError } from "./errors.js"

interface Answer {
  data: Record<string, unknown> | null
  errors?: { message: string; extensions?: Record<string, unknown> }[]
}

/** Asks a session a query. There is no time limit. Throws CliError with what the API said. */
export async function ask(session: SessionAddress, query: string): Promise<Record<string, unknown>> {
  const answer = await post(session, JSON.stringify({ query }))
  const [error] = answer.errors ?? []
  if (error) throw apiError(error.message, error.extensions)
  return answer.data as Record<string, unknown>
}

/** As `ask`, for a query that goes down to one value: that value. */
export async function askFor(session: SessionAddress, query: string): Promise<unknown> {
  let found: unknown = await ask(session, query)
  while (found !== null && typeof found === "object" && !Array.isArray(found)) found = Object.values(found)[0]
  return found
}

function post(session: SessionAddress, body: string): Promise<Answer> {
  const authorization = `Basic ${Buffer.from(`${session.token}:`).toString("base64")}`
  const headers = { authorization, "content-type": "application/json" }
  return new Promise((resolve, reject) => {
    const call = request(
      { host: "127.0.0.1", port: session.port, path: "/query", method: "POST", headers, agent: false },
      response => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", part => (text += part))
        response.once("error", reject).once("end", () => resolve(JSON.parse(text) as Answer))
      },
    )
    call.once("error", reject).end(body)
  })
}
