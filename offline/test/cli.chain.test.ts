import { describe, expect, it } from "vitest"
import { Api } from "../cli/api.js"
import { type Chain, parseChain } from "../cli/command-line.js"
import { CliError } from "../cli/errors.js"
import type { ArgumentDef, FunctionDef, Kind, TypeRef } from "../module/types.js"

const type = (kind: Kind, more: Partial<TypeRef> = {}): TypeRef => ({ kind, ...more })
const arg = (name: string, of: TypeRef, more: Partial<ArgumentDef> = {}): ArgumentDef => ({
  name,
  type: of,
  ...more,
})
const fn = (name: string, returns: TypeRef, args: ArgumentDef[] = []): FunctionDef => ({
  name,
  returns,
  args,
})
const text = type("STRING")

const hello = {
  name: "Hello",
  fields: [],
  functions: [
    fn("greet", text, [arg("name", text), arg("count", type("INTEGER"), { defaultValue: "1" })]),
    fn("release", type("OBJECT", { name: "HelloRelease" }), [
      arg("dryRun", type("BOOLEAN", { optional: true })),
    ]),
    fn("all", type("LIST", { element: type("OBJECT", { name: "HelloRelease" }) })),
    fn("many", text, [
      arg("tags", type("LIST", { optional: true, element: text })),
      arg("numbers", type("LIST", { optional: true, element: type("INTEGER") })),
      arg("level", type("ENUM", { optional: true, name: "Level" })),
      arg("share", type("FLOAT", { optional: true })),
      arg("on", type("SCALAR", { optional: true, name: "Platform" })),
      arg("dirs", type("LIST", { optional: true, element: type("OBJECT", { name: "Directory" }) })),
      arg("release", type("OBJECT", { optional: true, name: "HelloRelease" })),
    ]),
    fn("needsRelease", text, [arg("release", type("OBJECT", { name: "HelloRelease" }))]),
  ],
}
const release = { name: "HelloRelease", fields: [{ name: "version", type: text }], functions: [] }
const levels = { name: "Level", members: [{ name: "Low" }, { name: "veryHigh" }] }
const create = fn("", type("OBJECT", { name: "Hello" }), [
  arg("region", text, { defaultValue: '"eu"' }),
  arg("source", type("OBJECT", { name: "Directory" }), { defaultPath: "/" }),
])
const module = { objects: [{ ...hello, create }, release], enums: [levels] }
const api = new Api("hello", module, { objects: [], enums: [] })

const parse = (line: string): Chain => parseChain(api, line.split(" ").filter(Boolean), [])
const given = (chain: Chain) => chain.steps.map(step => [step.fn.name, Object.fromEntries(step.given)])

function failure(line: string): string {
  try {
    parse(line)
  } catch (error) {
    const { message, details } = error as CliError
    return details.usage ? `${message} | ${details.usage}` : message
  }
  return "no error"
}

describe("a chain", () => {
  it("has each function's flags after its name", () => {
    expect(given(parse("--region=x release --dry-run version"))).toEqual([
      ["", { region: "x" }],
      ["release", { dryRun: true }],
      ["version", {}],
    ])
  })

  it("goes on from a list of objects", () => {
    expect(given(parse("all version")).map(([name]) => name)).toEqual(["", "all", "version"])
  })

  it.each([
    ["many --tags a,b --tags c", { tags: ["a", "b", "c"] }],
    ["many --numbers 16,-1000", { numbers: [16, -1000] }],
    ["many --level VERY_HIGH", { level: "VERY_HIGH" }],
    ["many --level low", { level: "LOW" }],
    ["many --share 1.5", { share: 1.5 }],
    ["many --on linux/arm64", { on: "linux/arm64" }],
    ["many --dirs ./a,'b'", { dirs: ["./a", "b"] }],
  ])("%s", (line, values) => {
    expect(given(parse(line))[1]).toEqual(["many", values])
  })

  it.each([
    ["nope", 'unknown command "nope" for "dagger call" | dagger call'],
    ["release nope", 'unknown command "nope" for "dagger call release" | dagger call release'],
    ["greet --name=a version", 'unknown command "version" for "dagger call greet" | dagger call greet'],
    ["needsRelease", 'unknown command "needsRelease" for "dagger call" | dagger call'],
    ["needs-release", 'unknown command "needs-release" for "dagger call" | dagger call'],
    ["--foo", "unknown flag: --foo | dagger call"],
    ["release --foo", "unknown flag: --foo | dagger call release"],
    ["release --release x", "unknown flag: --release | dagger call release"],
    ["greet", 'required flag(s) "name" not set | dagger call greet'],
    ["greet --name", "flag needs an argument: --name | dagger call greet"],
    [
      "greet --count=abc",
      'invalid argument "abc" for "--count" flag: strconv.ParseInt: parsing "abc": invalid syntax | dagger call greet',
    ],
    [
      "greet --count=010",
      'invalid argument "010" for "--count" flag: strconv.ParseInt: parsing "010": invalid syntax | dagger call greet',
    ],
    [
      "release --dry-run=x",
      'invalid argument "x" for "--dry-run" flag: strconv.ParseBool: parsing "x": invalid syntax | dagger call release',
    ],
    [
      "many --level=x",
      'invalid argument "x" for "--level" flag: value should be one of LOW,VERY_HIGH | dagger call many',
    ],
    ["many --on=", 'invalid argument "" for "--on" flag: platform cannot be empty | dagger call many'],
  ])("%s: %s", (line, message) => {
    expect(failure(line)).toBe(message)
  })

  it("asks for nothing if help is wanted, wherever it says so", () => {
    expect(parse("greet --help").help).toBe(true)
    expect(parse("greet --help").error).toBeUndefined()
    expect(parse("-h greet").steps.at(-1)?.fn.name).toBe("greet")
    expect(parse("nope --help").error).toBeInstanceOf(CliError)
  })
})
