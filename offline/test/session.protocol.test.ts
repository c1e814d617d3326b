import { afterAll, beforeAll, expect, test } from "vitest"
import { Endpoint } from "../module/endpoint.js"
import { type Asked, newState, removeStates, start } from "./session.help.js"

let session: Asked
let endpoint: Endpoint
const places: Record<string, { port: number; token: string }> = {}

beforeAll(async () => {
  session = await start(newState())
  endpoint = new Endpoint({ Query: { currentModule: () => null } }, Promise.resolve(session))
  places["the command line"] = session
  places["a module"] = await endpoint.open()
})

afterAll(async () => {
  endpoint.close()
  await session.close()
  removeStates()
})

async function post(place: string, query: string) {
  const { port, token } = places[place] as { port: number; token: string }
  const headers = { authorization: `Basic ${Buffer.from(`${token}:`).toString("base64")}` }
  const body = JSON.stringify({ query })
  const response = await fetch(`http://127.0.0.1:${port}/query`, { method: "POST", headers, body })
  return { status: response.status, body: await response.json() }
}

test.each(["the command line", "a module"])(
  "what is not GraphQL is refused with the bare message, from %s",
  async place => {
    expect(await post(place, "{container")).toEqual({
      status: 422,
      body: {
        errors: [
          {
            message: "Expected Name, found <EOF>",
            locations: [{ line: 1, column: 11 }],
            extensions: { code: "GRAPHQL_PARSE_FAILED" },
          },
        ],
        data: null,
      },
    })
  },
)

test.each(["the command line", "a module"])("a field that is not there is refused, from %s", async place => {
  const { status, body } = await post(place, "{container{nope}}")
  expect(status).toBe(422)
  expect(body.errors[0]).toMatchObject({ extensions: { code: "GRAPHQL_VALIDATION_FAILED" } })
})
