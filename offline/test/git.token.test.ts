import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { dag } from "@dagger.io/dagger"
import { afterAll, beforeAll, expect, test } from "vitest"
import { ModuleWorld } from "./module.world.js"

// A git server that echoes the token, in every form and with terminal sequences around it.

const token = "s3cr+t/=%token"
const forms = [
  token,
  encodeURIComponent(token),
  Buffer.from(token).toString("base64"),
  Buffer.from(`x-access-token:${token}`).toString("base64"),
  Buffer.from(token).toString("base64url"),
]
let world: ModuleWorld
let asked: string[]
const server = createServer((request, answer) => {
  asked.push(request.headers.authorization ?? "")
  if (!request.headers.authorization) {
    answer.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end()
  } else {
    const echo = `\u001b]0;owned\u0007\u202e denied: ${forms.join(" ")} ${request.headers.authorization}`
    answer.writeHead(403, { "content-type": "text/plain" }).end(echo)
  }
})

beforeAll(async () => {
  world = new ModuleWorld()
  await world.start()
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
})
afterAll(async () => {
  server.close()
  await world.remove()
})

test("an echoed token, and what moves a terminal, is in no error and no progress", async () => {
  asked = []
  const { port } = server.address() as AddressInfo
  world.git(
    "remote",
    "add",
    "origin",
    `https://x-access-token:${encodeURIComponent(token)}@example.com/r.git`,
  )
  const settings = {
    gitRemote: "",
    gitEndpoint: dag.host().service([{ backend: port, frontend: port }]),
    gitToken: dag.setSecret("mine", token),
  }
  const error = await world.run(module => module.release(), settings).then(String, String)
  expect(asked).toContain(`Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`)
  expect(error).toMatch(/denied: \*\*\*/)
  const output = [error, ...world.progress].join("\n")
  for (const form of forms) expect(output).not.toContain(form)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
  expect(output).not.toMatch(/[\u0007\u001b\u202e]/)
})
