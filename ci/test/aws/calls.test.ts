import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { ListClustersCommand } from "@aws-sdk/client-ecs"
import { afterEach, describe, expect, it } from "vitest"
import { type Aws, ecr, ecs, logs, pages, sts } from "../../src/aws/clients.js"
import { explained } from "../../src/aws/errors.js"
import { history } from "../../src/history.js"

// The SDK sends over HTTP here, to the test's own server. Only what is to run into a limit has small ones; no test measures them.
const limits = { connect: 60_000, answer: 60_000, call: 60_000 }

let server: Server
const ticking: NodeJS.Timeout[] = []

async function answering(listener: RequestListener, its: Aws["limits"] = limits): Promise<Aws> {
  server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const credentials = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "example" }
  return { region: "eu-north-1", credentials, endpoint: `http://127.0.0.1:${port}`, limits: its }
}

afterEach(() => {
  for (const timer of ticking.splice(0)) clearInterval(timer)
  server.closeAllConnections()
  server.close()
})

const json = { "content-type": "application/x-amz-json-1.1" }

const clients: [string, (aws: Aws) => Promise<unknown>][] = [
  ["ECS", async aws => (await ecs(aws)).send(new ListClustersCommand({}))],
  ["ECR", async aws => (await ecr(aws)).getAuthorizationToken({})],
  ["CloudWatch Logs", async aws => (await logs(aws)).describeLogGroups({})],
  ["STS", async aws => (await sts(aws)).getCallerIdentity({})],
]

const hanging: [string, RequestListener][] = [
  ["before its headers", () => {}],
  ["after its headers", (_, answer) => answer.writeHead(200, json).flushHeaders()],
  [
    "never, a byte at a time",
    (_, answer) => {
      answer.writeHead(200, json)
      ticking.push(setInterval(() => answer.write(" "), 20))
    },
  ],
]

describe.each(clients)("a call to %s", (_, call) => {
  it.each(hanging)("ends if the answer stops %s", async (_, listener) => {
    const aws = await answering(listener, { connect: 500, answer: 200, call: 1200 })
    await expect(explained(aws, () => call(aws))).rejects.toThrow(
      `${aws.endpoint} does not answer.\nThe call did not finish within 1.2 s, retries included.`,
    )
  })

  it("is tried again if an attempt hung", async () => {
    let attempts = 0
    const aws = await answering(
      (_, answer) => {
        attempts += 1
        if (attempts === 2) answer.writeHead(200, json).flushHeaders()
        if (attempts >= 3) answer.writeHead(400, json).end(`{"__type":"X","message":"third"}`)
      },
      { ...limits, answer: 200 },
    )
    await expect(call(aws)).rejects.toThrow(/third|XML/)
    expect(attempts).toBeGreaterThanOrEqual(3)
  })

  it.each([200, 302, 403])("says that a page with the status %d is not an answer from AWS", async status => {
    const aws = await answering((_, answer) =>
      answer.writeHead(status, { "content-type": "text/html; charset=utf-8" }).end("<html>"),
    )
    await expect(explained(aws, () => call(aws))).rejects.toThrow(
      `The answer from ${aws.endpoint} cannot be read.\nIt is an HTML page with the status ${status}.\n→`,
    )
  })

  it("says that a truncated answer cannot be read", async () => {
    const aws = await answering((_, answer) => answer.writeHead(200, json).end('{"clusterArns": ["arn:'))
    const error = await explained(aws, () => call(aws)).catch((it: Error) => it)
    expect((error as Error).message).toMatch(
      /^The answer from .* cannot be read\.\n.+\n→ Run the same command again\./,
    )
  })
})

it("a gateway's page is retried, like a gateway's error", async () => {
  let attempts = 0
  const aws = await answering((_, answer) => {
    attempts += 1
    if (attempts < 3) answer.writeHead(503, { "content-type": "text/html" }).end("<html>")
    else answer.writeHead(200, json).end('{"clusterArns": ["arn"]}')
  })
  const client = await ecs(aws)
  await expect(client.send(new ListClustersCommand({}))).resolves.toMatchObject({ clusterArns: ["arn"] })
})

describe("a list", () => {
  it("that leads back to an earlier page is refused", async () => {
    const aws = await answering((_, answer) =>
      answer.writeHead(200, json).end(JSON.stringify({ imageDetails: [], nextToken: "same" })),
    )
    await expect(history(aws, { repository: "web" })).rejects.toThrow(
      "AWS's list does not end.\nA page leads back to an earlier one.",
    )
  })

  it("that never ends is refused", async () => {
    let page = 0
    const read = async () => ({ nextToken: String(page++) })
    const all = async () => {
      for await (const _ of pages(read));
    }
    await expect(all()).rejects.toThrow("AWS's list does not end.\nIt has more than 1000 pages.")
  })
})
