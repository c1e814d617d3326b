import { afterAll, expect, test } from "vitest"
import { imageNames } from "../session/cleanup.js"
import { forgetSessions } from "../session/server.js"
import {
  type Asked,
  BASE,
  base,
  dockerApi,
  dockerTarget,
  newState,
  removeStates,
  start,
} from "./session.help.js"

afterAll(removeStates)

/** Leaves two images: the base's files alone, and those after the command. */
const write = (word: string) =>
  `{container{from(address:"${BASE}"){withExec(args:["sh","-c","echo ${word} | tee /file"]){stdout}}}}`

/** Runs one query in a session of its own, and gives what it logged. */
async function once(state: string, query: string): Promise<string[]> {
  const session = await start(state)
  await session.leaf(query)
  await session.close()
  return session.lines
}

async function left(state: string): Promise<Set<string>> {
  const session = await start(state)
  const names = await imageNames(session.session)
  await session.close()
  return new Set(names)
}

test("a run leaves no more images than the previous run, and keeps those that it needed", {
  timeout: 120_000,
}, async () => {
  const state = newState()
  await once(state, write("one"))
  expect((await left(state)).size).toBe(2)
  for (const word of ["two", "three", "four"]) {
    await once(state, write(word))
    expect((await left(state)).size).toBe(2)
    expect(await once(state, write(word))).toEqual([])
  }
  expect(await once(state, write("two"))).toContain("two")
})

test("a run that needs less takes nothing away", async () => {
  const state = newState()
  await once(state, write("one"))
  await once(state, "{defaultPlatform}")
  expect(await once(state, write("one"))).toEqual([])
})

test("as long as another run needs them, all images stay", async () => {
  const state = newState()
  const other: Asked = await start(state)
  const file = `{container{from(address:"${BASE}"){withExec(args:["sh","-c","echo long > /file"]){file(path:"/file"){contents}}}}}`
  expect(await other.leaf(file)).toBe("long\n")
  await once(state, write("one"))
  await once(state, write("two"))
  expect((await left(state)).size).toBe(4)
  await other.close()
  await once(state, write("three"))
  expect((await left(state)).size).toBe(2)
})

test("a reset removes this checkout's images, but neither others' nor base images", {
  timeout: 120_000,
}, async () => {
  const [state, others] = [newState(), newState()]
  await once(state, write("one"))
  await once(others, write("one"))
  await forgetSessions(await dockerTarget(), state)
  expect((await left(state)).size).toBe(0)
  expect((await left(others)).size).toBe(2)
  expect(await once(others, write("one"))).toEqual([])
  expect(await (await dockerApi()).find(`/images/${await base()}/json`)).toBeDefined()
  expect(await once(state, write("one"))).toContain("one")
})
