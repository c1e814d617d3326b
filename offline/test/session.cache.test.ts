import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Asked, BASE, newState, removeStates, start } from "./session.help.js"

const state = newState()
let session: Asked

beforeAll(async () => {
  session = await start(state)
})

afterAll(async () => {
  await session.close()
  await removeStates()
})

const random = (chain = "") =>
  `{container{from(address:"${BASE}"){${chain}withExec(args:["sh","-c","cat /proc/sys/kernel/random/uuid > /u; cat /u"]){stdout}}}${chain && "}"}}`

test("a command runs once for one recipe, in this session and in the next", async () => {
  const first = await session.leaf(random())
  expect(await session.leaf(random())).toBe(first)
  const next = await start(state)
  await next.leaf("{defaultPlatform}")
  expect(await next.leaf(random())).toBe(first)
  expect(next.lines).toEqual([])
  await next.close()
})

test("a variable that changes makes it run again", async () => {
  const one = await session.leaf(random('withEnvVariable(name:"N",value:"1"){'))
  const two = await session.leaf(random('withEnvVariable(name:"N",value:"2"){'))
  expect(one).not.toBe(two)
})

test("equal queries at once run a command once, others run beside it", async () => {
  const query = random('withEnvVariable(name:"N",value:"3"){')
  const other = random('withEnvVariable(name:"N",value:"4"){')
  const [a, b, c] = await Promise.all([session.leaf(query), session.leaf(query), session.leaf(other)])
  expect(a).toBe(b)
  expect(a).not.toBe(c)
  expect(session.lines.filter(line => line === a.trim())).toHaveLength(1)
})

test("a command that failed runs again", async () => {
  const query = `{container{from(address:"${BASE}"){withExec(args:["sh","-c","echo again; exit 1"]){sync}}}}`
  await expect(session.leaf(query)).rejects.toThrow("exit code: 1")
  await expect(session.leaf(query)).rejects.toThrow("exit code: 1")
  expect(session.lines.filter(line => line === "again")).toHaveLength(2)
})

test("a folder of the host counts by its content", async () => {
  const folder = newState()
  mkdirSync(join(folder, "sub"))
  writeFileSync(join(folder, "sub/a"), "1")
  writeFileSync(join(folder, "skip"), "1")
  const query = `{host{directory(path:"${folder}",exclude:["skip"]){digest}}}`
  const digest = async () => {
    const one = await start(state)
    return one.leaf(query).finally(() => one.close())
  }
  const first = await digest()
  writeFileSync(join(folder, "skip"), "2")
  expect(await digest()).toBe(first)
  writeFileSync(join(folder, "sub/a"), "2")
  const second = await digest()
  expect(second).not.toBe(first)
  writeFileSync(join(folder, "sub/a"), "1")
  expect(await digest()).toBe(first)
})

test("a build runs once for one content", async () => {
  const text = `FROM ${BASE}\nRUN cat /proc/sys/kernel/random/uuid > /u\n# ${Date.now()}`
  const query = `{directory{withNewFile(path:"Dockerfile",contents:${JSON.stringify(text)}){dockerBuild{file(path:"/u"){contents}}}}}`
  const first = await session.leaf(query)
  const next = await start(state)
  expect(await next.leaf(query)).toBe(first)
  expect(next.lines).toEqual([])
  await next.close()
})
