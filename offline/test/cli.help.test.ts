import { describe, expect, it } from "vitest"
import { Api } from "../cli/api.js"
import { parseChain } from "../cli/command-line.js"
import { chainHelp, functionList } from "../cli/help.js"
import { resultText, Shown } from "../cli/queries.js"
import type { ArgumentDef, FunctionDef, Kind, TypeRef } from "../module/types.js"

const type = (kind: Kind, more: Partial<TypeRef> = {}): TypeRef => ({ kind, ...more })
const optional = (kind: Kind, more: Partial<TypeRef> = {}) => type(kind, { optional: true, ...more })
const text = type("STRING")

const args: ArgumentDef[] = [
  { name: "to", type: text, description: "The version to go back to" },
  { name: "count", type: type("INTEGER"), description: "How many", defaultValue: "3" },
  { name: "dryRun", type: type("BOOLEAN"), defaultValue: "false" },
  { name: "force", type: type("BOOLEAN"), description: "Force it", defaultValue: "true" },
  { name: "level", type: type("ENUM", { name: "Level" }), defaultValue: '"LOW"' },
  { name: "platform", type: optional("SCALAR", { name: "Platform" }) },
  {
    name: "secrets",
    type: optional("LIST", { element: type("OBJECT", { name: "Secret" }) }),
    description: "Secrets",
  },
  {
    name: "tags",
    type: type("LIST", { element: text }),
    description: "Tags to push",
    defaultValue: '["a","b"]',
  },
  {
    name: "token",
    type: optional("OBJECT", { name: "Secret" }),
    description: "Token, as `env://NAME` or a file",
  },
]
const functions: FunctionDef[] = [
  { name: "status", returns: text, args: [] },
  {
    name: "rollBack",
    returns: text,
    args,
    description: "Go back to the previous version, or to the one named.\n\nMore of it.",
  },
  {
    name: "build",
    returns: type("OBJECT", { name: "Hello" }),
    args: [],
    description:
      "Build the image from the Dockerfile, stamped with the version of the commit that is checked out.",
  },
]
const level = { name: "Level", members: [{ name: "LOW" }, { name: "HIGH" }, { name: "CRITICAL" }] }
const api = new Api(
  "hello",
  { objects: [{ name: "Hello", fields: [], functions }], enums: [level] },
  { objects: [], enums: [] },
)
const help = (...words: string[]) => chainHelp(api, parseChain(api, [...words, "--help"], []))

describe("help", () => {
  it("shows a function's arguments: those that must be given first, types, defaults", () => {
    const shown = help("roll-back")
      .split(/\n+/)
      .map(line => line.trim().replace(/ {2,}/g, "  "))
    expect(shown).toEqual([
      "Go back to the previous version, or to the one named.",
      "More of it.",
      "USAGE",
      "dagger call roll-back [arguments]",
      "ARGUMENTS",
      "--to string  The version to go back to [required]",
      "--count int  How many (default 3)",
      "--dry-run",
      "--force  Force it (default true)",
      '--level CRITICAL,HIGH,LOW  (default "LOW")',
      "--platform Platform",
      "--secrets []Secret  Secrets",
      '--tags strings  Tags to push (default ["a","b"])',
      "--token Secret  Token, as `env://NAME` or a file",
      "",
    ])
  })

  it("shows what can follow; for a function without a description, only its usage", () => {
    expect(help("build")).toContain("\n  dagger call build <function>\n\nFUNCTIONS\n  build ")
    expect(help("build")).toMatch(
      /\n {2}roll-back +Go back to the previous version, or to the one named\.\n {2}status +-\n/,
    )
    expect(help("status")).toBe("-\n\nUSAGE\n  dagger call status\n")
  })

  it("shows the options of dagger call only at its root", () => {
    expect(help()).toContain(
      "Call one or more functions, interconnected into a pipeline\n\nUSAGE\n  dagger call [options] <function>\n",
    )
    expect(help()).toContain("  -j, --json            Present result as JSON\n")
    expect(help("build")).not.toContain("OPTIONS")
  })

  it("lists functions by name", () => {
    expect(functionList(functions)).toBe(
      [
        "Name        Description",
        "build       Build the image from the Dockerfile, stamped with the version of the commit that is checked out.",
        "roll-back   Go back to the previous version, or to the one named.",
        "status      -",
        "",
      ].join("\n"),
    )
  })
})

describe("results", () => {
  it.each([
    ["a string", "a string"],
    ["with newline\n", "with newline\n"],
    [true, "true"],
    [42, "42"],
    [0, "0"],
    [-1.5, "-1.5"],
    [999999, "999999"],
    [1234567, "1234567"],
    [null, "<nil>"],
    [["a", "b"], "a\nb\n"],
    [[], ""],
    [[1, 2], "1\n2\n"],
  ])("%j is printed as %j", (value, printed) => {
    expect(resultText(value, false)).toBe(printed)
  })

  it("are JSON if that is asked for, except objects", () => {
    expect(resultText("a<b", true)).toBe('"a<b"\n')
    expect(resultText([1], true)).toBe("[\n    1\n]\n")
    expect(resultText(new Shown("HelloRelease", { a: 1 }), true)).toMatch(
      /^HelloRelease@xxh3:[0-9a-f]{16}\n$/,
    )
    expect(resultText([new Shown("A", 1), new Shown("A", 2)], false)).toMatch(
      /^- A@xxh3:\w{16}\n- A@xxh3:\w{16}\n$/,
    )
  })
})
