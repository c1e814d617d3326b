import { afterAll, beforeAll, expect, test } from "vitest"
import type { DockerApi } from "../session/docker.js"
import { decodeId } from "../session/recipe.js"
import { type Asked, BASE, dockerApi, newState, removeStates, start } from "./session.help.js"

const VALUE = "hunter2-very-secret"
let session: Asked
let docker: DockerApi
let secret: string

beforeAll(async () => {
  docker = await dockerApi()
  session = await start(newState())
  secret = await session.leaf(`{setSecret(name:"token",plaintext:"${VALUE}"){id}}`)
})

afterAll(async () => {
  await session.close()
  docker.close()
  await removeStates()
})

/** Everything the daemon says about its images and containers. */
async function known(): Promise<string> {
  const images: { Id: string }[] = await docker.json("GET", "/images/json", { query: { all: true } })
  const containers: { Id: string }[] = await docker.json("GET", "/containers/json", { query: { all: true } })
  const paths = [
    ...images.flatMap(({ Id }) => [`/images/${Id}/json`, `/images/${Id}/history`]),
    ...containers.map(({ Id }) => `/containers/${Id}/json`),
  ]
  // A few at a time: the daemon takes no more connections at once than its socket's queue holds.
  const parts: unknown[] = []
  for (let at = 0; at < paths.length; at += 16) {
    parts.push(...(await Promise.all(paths.slice(at, at + 16).map(path => docker.find(path)))))
  }
  return JSON.stringify(parts)
}

test("a secret's value is not in its ID", () => {
  expect(JSON.stringify(decodeId(secret))).not.toContain(VALUE)
  expect(Buffer.from(secret, "base64").toString()).not.toContain(VALUE)
})

test("a secret variable reaches the command and stays in no image", async () => {
  const key = Date.now()
  const chain = `container{from(address:"${BASE}"){withSecretVariable(name:"T",secret:"${secret}"){`
  const exec = `withExec(args:["sh","-c","echo ${key} > /made; printf %s $T | tr a-z A-Z"])`
  expect(await session.leaf(`{${chain}${exec}{stdout}}}}}`)).toBe(VALUE.toUpperCase())
  expect(await session.leaf(`{${chain}${exec}{file(path:"/made"){contents}}}}}}`)).toBe(`${key}\n`)
  expect(await known()).not.toContain(VALUE)
  expect(session.lines.join("\n")).not.toContain(VALUE)
})

test("secrets are stars in redirected files, in errors and in progress", async () => {
  const chain = `container{from(address:"${BASE}"){withSecretVariable(name:"T",secret:"${secret}"){`
  const file = `{${chain}withExec(args:["sh","-c","echo a $T"],redirectStdout:"/o"){file(path:"/o"){contents}}}}}}`
  expect(await session.leaf(file)).toBe("a ***\n")
  const answer = await session.ask(
    `{${chain}withExec(args:["sh","-c","echo $T; echo b$T >&2; exit 4"]){sync}}}}}`,
  )
  expect(answer.errors?.[0]?.extensions).toMatchObject({ exitCode: 4, stdout: "***", stderr: "b***" })
  expect(session.lines).toContain("b***")
})

test("a build's secret reaches RUN and stays in no image", async () => {
  const text = [
    `FROM ${BASE}`,
    `RUN --mount=type=secret,id=token echo ${Date.now()} && wc -c < /run/secrets/token > /length && cat /run/secrets/token`,
  ].join("\n")
  const made = `directory{withNewFile(path:"Dockerfile",contents:${JSON.stringify(text)}){dockerBuild(secrets:["${secret}"])`
  expect(await session.leaf(`{${made}{file(path:"/length"){contents}}}}}`)).toBe(`${VALUE.length}\n`)
  expect(await known()).not.toContain(VALUE)
  expect(session.lines.join("\n")).not.toContain(VALUE)
  expect(session.lines.join("\n")).toContain("***")
})

test("a secret of the host without a name can't be a build's", async () => {
  process.env.SESSION_TEST_SECRET = "x"
  const host = await session.leaf('{secret(uri:"env://SESSION_TEST_SECRET"){id}}')
  const made = `directory{withNewFile(path:"Dockerfile",contents:"FROM scratch"){dockerBuild(secrets:["${host}"])`
  await expect(session.leaf(`{${made}{sync}}}}`)).rejects.toThrow("secret has no name")
})

test("secrets of the host: a variable, a file, a command; a variable that isn't set", async () => {
  process.env.SESSION_TEST_SECRET = "from env"
  expect(await session.leaf('{secret(uri:"env://SESSION_TEST_SECRET"){uri}}')).toBe(
    "env://SESSION_TEST_SECRET",
  )
  const fresh = await start(newState())
  expect(await fresh.leaf('{secret(uri:"env://SESSION_TEST_SECRET"){plaintext}}')).toBe("from env")
  await fresh.close()
  expect(await session.leaf('{secret(uri:"cmd://echo hi"){plaintext}}')).toBe("hi\n")
  expect(await session.leaf('{secret(uri:"file:///etc/hostname"){name}}')).toBe("")
  expect(await session.leaf('{secret(uri:"env://SESSION_TEST_UNSET"){id}}')).toMatch(/=*$/)
  const unset = session.leaf('{secret(uri:"env://SESSION_TEST_UNSET"){plaintext}}')
  await expect(unset).rejects.toThrow("secret env var not found")
  await expect(session.leaf('{secret(uri:"vault://x"){plaintext}}')).rejects.toThrow(
    "unsupported secret provider",
  )
})

test("a session refuses a caller without its token", async () => {
  const response = await fetch(`http://127.0.0.1:${session.port}/query`, { method: "POST", body: "{}" })
  expect(response.status).toBe(401)
})
