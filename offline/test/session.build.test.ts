import { afterAll, beforeAll, expect, test } from "vitest"
import { type Asked, BASE, newState, removeStates, start } from "./session.help.js"

let session: Asked

beforeAll(async () => {
  session = await start(newState())
})

afterAll(async () => {
  await session.close()
  await removeStates()
})

async function context(files: Record<string, string>): Promise<string> {
  const calls = Object.entries(files).map(
    ([path, text]) => `withNewFile(path:"${path}",contents:${JSON.stringify(text)})`,
  )
  return session.leaf(`{directory{${calls.join("{")}{id}${"}".repeat(calls.length)}}`)
}

const build = (dir: string, then: string, args = "") =>
  `{loadDirectoryFromID(id:"${dir}"){dockerBuild${args}{${then}}}}`

test("an ignore file leaves files out, the Dockerfile itself among them", async () => {
  const dir = await context({
    "ci/Dockerfile": `FROM ${BASE}\nCOPY . /c`,
    ".dockerignore": "ci\n*.log",
    "a.log": "",
    "b.txt": "b",
  })
  const query = build(dir, 'directory(path:"/c"){entries}', '(dockerfile:"ci/Dockerfile")')
  expect(await session.leaf(query)).toEqual([".dockerignore", "b.txt"])
})

test("a changed file of the same length is seen", async () => {
  const text = `FROM ${BASE}\nCOPY v /v`
  const read = async (v: string) =>
    session.leaf(build(await context({ Dockerfile: text, v }), 'file(path:"/v"){contents}'))
  expect(await read("1")).toBe("1")
  expect(await read("2")).toBe("2")
})

test("a failing test run gives its output, in the error and in the progress", {
  timeout: 60_000,
}, async () => {
  const dir = await context({
    Dockerfile: `FROM ${BASE}\nRUN echo "1 failed: ${Date.now()}"; echo why >&2; exit 1`,
  })
  const { errors } = await session.ask(build(dir, "sync"))
  expect(errors?.[0]?.extensions).toMatchObject({ _type: "EXEC_ERROR", exitCode: 1 })
  expect(errors?.[0]?.extensions?.stdout).toMatch(/1 failed: \d+\nwhy|why\n1 failed: \d+/)
  expect(session.lines.join("\n")).toMatch(/#\d+ \d+\.\d+ 1 failed/)
})

test("a file that isn't there", async () => {
  const dir = await context({ Dockerfile: `FROM ${BASE}\nCOPY nope /` })
  await expect(session.leaf(build(dir, "sync"))).rejects.toThrow(/"\/nope".*not found/)
})

test("images of the stages copied from, and the configuration that was set", {
  timeout: 60_000,
}, async () => {
  const dir = await context({
    Dockerfile: `# syntax=docker/dockerfile:1\nARG B=${BASE}\nFROM scratch\nCOPY --from=${BASE} /etc/debian_version /v\nENV A=1\nWORKDIR /w\nUSER 7\nEXPOSE 80\nCMD ["x"]`,
  })
  const { data } = await session.ask(
    build(dir, 'file(path:"/v"){size} envVariable(name:"A") workdir user exposedPorts{port} defaultArgs'),
  )
  expect(data.loadDirectoryFromID.dockerBuild).toMatchObject({
    ...{ envVariable: "1", workdir: "/w", user: "7", exposedPorts: [{ port: 80 }], defaultArgs: ["x"] },
  })
  expect(data.loadDirectoryFromID.dockerBuild.file.size).toBeGreaterThan(0)
})
