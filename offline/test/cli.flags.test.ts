import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { kebab, pascal, typeName } from "../cli/api.js"
import { type Flag, takeFlags } from "../cli/command-line.js"
import { splitCsv } from "../cli/values.js"

function collect(words: string[]): { given: Record<string, string[]>; rest: string[] } {
  const given: Record<string, string[]> = {}
  const flag = (name: string, options: Partial<Flag> = {}): Flag => ({
    name,
    set: value => {
      if (value === "bad") throw new Error("no good")
      given[name] = [...(given[name] ?? []), value]
    },
    ...options,
  })
  const flags = [
    flag("name", { short: "n" }),
    flag("dry-run", { alone: "true" }),
    flag("quiet", { short: "q", alone: "+1" }),
  ]
  return { rest: takeFlags(words, flags), given }
}

describe("takeFlags", () => {
  it.each([
    [["--name=a", "x"], { name: ["a"] }, ["x"]],
    [["--name", "a", "--name", "b"], { name: ["a", "b"] }, []],
    [["--name="], { name: [""] }, []],
    [["--name", "--dry-run"], { name: ["--dry-run"] }, []],
    [["--dry-run", "false"], { "dry-run": ["true"] }, ["false"]],
    [["--dry-run=false"], { "dry-run": ["false"] }, []],
    [["--dryRun", "--DryRun", "--dry_run"], { "dry-run": ["true", "true", "true"] }, []],
    [["-na", "-n", "b", "-n=c"], { name: ["a", "b", "c"] }, []],
    [["-qqn", "a"], { quiet: ["+1", "+1"], name: ["a"] }, []],
    [["--", "--name"], {}, ["--name"]],
    [["fn", "--name=a"], {}, ["fn", "--name=a"]],
    [["-"], {}, ["-"]],
  ])("reads %j", (words, given, rest) => {
    expect(collect(words)).toEqual({ given, rest })
  })

  it.each([
    [["--nope"], "unknown flag: --nope"],
    [["--nope=1"], "unknown flag: --nope"],
    [["-x"], "unknown shorthand flag: 'x' in -x"],
    [["-qx"], "unknown shorthand flag: 'x' in -qx"],
    [["--name"], "flag needs an argument: --name"],
    [["-n"], "flag needs an argument: 'n' in -n"],
    [["--name=bad"], 'invalid argument "bad" for "-n, --name" flag: no good'],
    [["--dry-run=bad"], 'invalid argument "bad" for "--dry-run" flag: no good'],
  ])("refuses %j", (words, message) => {
    expect(() => collect(words)).toThrow(message)
  })
})

describe("splitCsv", () => {
  it.each([
    ["", []],
    ["a", ["a"]],
    ["a,b,", ["a", "b", ""]],
    ['a,"b,c"', ["a", "b,c"]],
    ['"say ""hi"""', ['say "hi"']],
    [" a , b ", [" a ", " b "]],
  ])("splits %j", (text, parts) => {
    expect(splitCsv(text)).toEqual(parts)
  })

  it("refuses a stray quote", () => {
    expect(() => splitCsv('a"b')).toThrow("parse error")
  })

  it("gives back what was joined", () => {
    const quoted = (part: string) => `"${part.replaceAll('"', '""')}"`
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), parts => {
        expect(splitCsv(parts.map(quoted).join(","))).toEqual(parts)
      }),
    )
  })
})

describe("names", () => {
  it.each([
    ["badExec", "bad-exec"],
    ["JSONData", "json-data"],
    ["ecsArn2", "ecs-arn-2"],
    ["http2Url", "http-2-url"],
    ["A1", "a-1"],
    ["snake_case name.x", "snake-case-name-x"],
    ["url", "url"],
  ])("%s is %s on the command line", (name, shown) => {
    expect(kebab(name)).toBe(shown)
  })

  it("names types with the module's name before them, once", () => {
    expect(pascal("ecs-release")).toBe("EcsRelease")
    expect(typeName("hello", "Hello")).toBe("Hello")
    expect(typeName("hello", "HelloRelease")).toBe("HelloRelease")
    expect(typeName("hello", "Release")).toBe("HelloRelease")
  })
})
