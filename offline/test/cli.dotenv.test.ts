import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { expand, parseDotenv, withUserDefaults } from "../cli/user-defaults.js"
import type { ModuleDef } from "../module/types.js"
import { type Engine, engineVersion } from "../session/engine.js"

const value = (line: string, environment: Record<string, string> = {}) =>
  expand("X", parseDotenv(line), environment)

describe(".env", () => {
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: that is what the shell calls a variable
  it.each([
    ["X=plain", "plain"],
    ["  export X=plain  ", "plain"],
    ["X=a b # c", "a b # c"],
    ["X='a b' # c", "a b"],
    ['X="a $Y"\nY=why', "a why"],
    ["X='$Y'\nY=why", "$Y"],
    ["X=$Y-${Y}\nY=why", "why-why"],
    ["X=${Y:-other}", "other"],
    ["X=a\\ b", "a b"],
    ["X=", ""],
    ["X=cmd://echo a=b", "cmd://echo a=b"],
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: as above
  ])("%j", (text, expected) => {
    expect(value(text)).toBe(expected)
  })

  it("takes what is missing from the environment, and treats an unset variable as an error", () => {
    expect(value("X=$HOME_OF_X", { HOME_OF_X: "h" })).toBe("h")
    expect(() => value("X=$HOME_OF_X")).toThrow("HOME_OF_X: unbound variable")
    expect(() => value("X=$Y\nY=$X")).toThrow("refers to itself")
  })
})

describe("user defaults", () => {
  const module: ModuleDef = {
    enums: [],
    objects: [
      {
        name: "MyHello",
        fields: [],
        create: {
          name: "",
          returns: { kind: "OBJECT", name: "MyHello" },
          args: [
            { name: "imageTag", type: { kind: "STRING" }, defaultValue: '"latest"' },
            { name: "token", type: { kind: "OBJECT", name: "Secret" } },
            { name: "tags", type: { kind: "LIST", element: { kind: "STRING" } } },
            { name: "force", type: { kind: "BOOLEAN" } },
          ],
        },
        functions: [
          {
            name: "lsText",
            returns: { kind: "STRING" },
            args: [{ name: "count", type: { kind: "INTEGER" } }],
          },
        ],
      },
    ],
  }
  let root = ""
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "defaults-"))
    mkdirSync(join(root, "module/inside"), { recursive: true })
  })
  afterEach(() => rmSync(root, { recursive: true }))

  const load = (inner: string, outer?: string, engine: Engine = "v0.21.8") => {
    writeFileSync(join(root, "module/.env"), inner)
    if (outer !== undefined) writeFileSync(join(root, ".env"), outer)
    return withUserDefaults(
      "my-hello",
      module,
      join(root, "module"),
      outer === undefined ? join(root, "module/inside") : root,
      engine,
    )
  }
  const announced = (inner: string, outer?: string) => load(inner, outer).announcements

  it("finds arguments of the constructor and of functions, in any case", () => {
    expect(announced("IMAGETAG=a\nLSTEXT_COUNT=2\n")).toEqual([
      'user default: my-hello(imageTag="a")',
      'user default: my-hello.lsText(count="2")',
    ])
    expect(announced("my_hello_imageTag=b\nls_text_count=3\n")).toEqual([
      'user default: my-hello(imageTag="b")',
      'user default: my-hello.lsText(count="3")',
    ])
  })

  it("makes values the new defaults", () => {
    const { module: changed } = load("imagetag=a\ntags=x,y\nforce=true\nlstext_count=7\n")
    expect(changed.objects[0]?.create?.args.map(arg => arg.defaultValue)).toEqual([
      '"a"',
      undefined,
      '["x","y"]',
      "true",
    ])
    expect(changed.objects[0]?.functions[0]?.args[0]?.defaultValue).toBe("7")
  })

  it("keeps objects as addresses, and makes their arguments optional", () => {
    const { module: changed, addresses } = load("TOKEN=env://SOME_TOKEN\n")
    const token = changed.objects[0]?.create?.args[1]
    expect(token && addresses.get(token)).toBe("env://SOME_TOKEN")
    expect(token?.type.optional).toBe(true)
  })

  it("never shows a secret's value", () => {
    expect(announced("TOKEN=topsecret\n")).toEqual(["user default: my-hello(token=*****)"])
    expect(announced("TOKEN=env://NAME\n")).toEqual(['user default: my-hello(token="env://NAME")'])
  })

  it("lets the nearest .env above the working directory win, if the module is named", () => {
    expect(announced("imagetag=inner\n", "MYHELLO_IMAGETAG=outer\nFORCE=true\n")).toEqual([
      'user default: my-hello(imageTag="outer")',
    ])
  })

  it("refuses a value of another type", () => {
    expect(() => announced("force=yes\n")).toThrow(
      "user defaults my-hello.(force=...): not valid JSON: 'yes'",
    )
    expect(() => announced("lstext_count=x\n")).toThrow('parse as integer: parsing "x": invalid syntax')
  })

  describe("lists", () => {
    const tags = (engine: Engine, inner: string, outer?: string) =>
      load(inner, outer, engine).module.objects[0]?.create?.args[2]?.defaultValue

    it("are comma-separated to v0.21.8, JSON too", () => {
      expect(tags("v0.21.8", "tags=x,y\n")).toBe('["x","y"]')
      expect(tags("v0.21.8", "tags='[\"x y\"]'\n")).toBe('["[\\"x y\\"]"]')
      expect(tags("v0.21.8", "", "MY_HELLO_TAGS=x,y\n")).toBe('["x","y"]')
    })

    it("are JSON to v0.20.0, in the quotes that a shell would need", () => {
      expect(tags("v0.20.0", 'tags=\'["x","y"]\'\n')).toBe('["x","y"]')
      expect(() => tags("v0.20.0", "tags=x,y\n")).toThrow(
        "user defaults my-hello.(tags=...): not valid JSON: 'x,y'",
      )
      expect(() => tags("v0.20.0", 'tags=["x"]\n')).toThrow("not valid JSON: '[x]'")
    })

    it("need quotes twice to v0.20.0 if a prefix is taken off", () => {
      expect(() => tags("v0.20.0", "", "MY_HELLO_TAGS='[\"x\"]'\n")).toThrow("not valid JSON: '[x]'")
      expect(tags("v0.20.0", "", `MY_HELLO_TAGS='"[\\"x\\"]"'\n`)).toBe('["x"]')
    })
  })
})

describe("the engine that the session stands in for", () => {
  it("is v0.21.8 unless another is named", () => {
    expect([engineVersion(""), engineVersion("v0.20.0"), engineVersion("0.20.0")]).toEqual([
      ...["v0.21.8", "v0.20.0", "v0.20.0"],
    ])
    expect(() => engineVersion("v0.19.0")).toThrow("Set it to v0.21.8 or v0.20.0, or unset it.")
  })
})
