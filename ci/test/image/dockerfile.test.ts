import { expect, test } from "vitest"
import { parseArgs, withVersion } from "../../src/image/dockerfile.js"

const wanted = [
  { name: "A", value: "1" },
  { name: "B", value: "x=y,z" },
]

test.each([
  ["on the command line", ["A=1", "B=x=y,z"]],
  ["in .env, as Dagger 0.20 reads JSON", JSON.parse('["A=1","B=x=y,z"]')],
  ["in .env, as Dagger 0.21 splits it at commas", '["A=1","B=x=y,z"]'.split(",")],
  ["in .env, as one raw string", ['["A=1","B=x=y,z"]']],
])("build arguments %s", (_, given) => expect(parseArgs(given)).toEqual(wanted))

test("no build arguments, and one with an empty value", () => {
  expect(parseArgs([])).toEqual([])
  expect(parseArgs(["A="])).toEqual([{ name: "A", value: "" }])
})

test.each([[["A"]], [["=1"]], [["1A=x"]], [['["A=1"']], [['["A", 1]']], [["B=x", "y"]]])(
  "%j is refused, with the forms it takes",
  given => expect(() => parseArgs(given)).toThrow(/is not KEY=VALUE[\s\S]*→ .*--build-args KEY=VALUE.*\.env/),
)

test.each([
  ["FROM a\nARG VERSION\n", [], ["1.2.3"]],
  [`ARG VERSION=1.27\nFROM nginx:\${VERSION} AS runtime\n`, [], []],
  ["ARG VERSION=1.27\nfrom nginx:$VERSION-alpine\n", [], []],
  ["# FROM nginx:$VERSION\nFROM a\n", [], ["1.2.3"]],
  ["FROM a:$VERSION_ID\n", [], ["1.2.3"]],
  ["FROM a\n", ["VERSION=9"], ["9"]],
])("VERSION is the app's, unless it means something else: %j, %j", (dockerfile, given, wanted) => {
  const args = withVersion(parseArgs(given), dockerfile, "1.2.3")
  expect(args.filter(({ name }) => name === "VERSION").map(({ value }) => value)).toEqual(wanted)
})
