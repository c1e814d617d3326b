import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Asked, BASE, newState, removeStates, start } from "./session.help.js"

let session: Asked

beforeAll(async () => {
  session = await start(newState())
})

afterAll(async () => {
  await session.close()
  await removeStates()
})

const inBase = (rest: string) => `{container{from(address:"${BASE}"){${rest}}}}`

describe("a command's exit code", () => {
  const exits = (code: number, expected: string) =>
    session.ask(
      inBase(`withExec(args:["sh","-c","echo o; echo e >&2; exit ${code}"],expect:${expected}){exitCode}`),
    )

  test.each([
    ["ANY", 0],
    ["ANY", 127],
    ["ANY", 192],
    ["ANY", 255],
    ["FAILURE", 1],
    ["FAILURE", 127],
    ["FAILURE", 192],
  ])("expect %s takes %i", async (expected, code) => {
    expect((await exits(code, expected)).data?.container.from.withExec.exitCode).toBe(code)
  })

  test.each([
    ["ANY", 128],
    ["ANY", 191],
    ["FAILURE", 0],
    ["FAILURE", 128],
    ["SUCCESS", 128],
  ])("expect %s refuses %i", async (expected, code) => {
    const { data, errors } = await exits(code, expected)
    expect(data).toBeNull()
    expect(errors?.[0]?.message).toMatch(new RegExp(`^exit code: ${code} \\[traceparent:`))
    expect(errors?.[0]?.extensions).toEqual({
      ...{ _type: "EXEC_ERROR", cmd: ["sh", "-c", `echo o; echo e >&2; exit ${code}`] },
      ...{ exitCode: code, stdout: "o", stderr: "e" },
    })
  })
})

describe("a command without arguments", () => {
  test("is the image's own", async () => {
    const file = JSON.stringify(`FROM ${BASE}\nENTRYPOINT ["false"]\nCMD ["echo", "its own"]`)
    const build = `{directory{withNewFile(path:"Dockerfile",contents:${file}){dockerBuild{withExec(args:[]){stdout}}}}}`
    expect(await session.leaf(build)).toBe("its own\n")
  })

  test.each(["withoutDefaultArgs", 'withEntrypoint(args:["true"])'])("is an error after %s", async change => {
    const { errors } = await session.ask(inBase(`${change}{withExec(args:[]){stdout}}`))
    expect(errors?.[0]?.message).toMatch(/^no command has been set \[traceparent:/)
  })
})
