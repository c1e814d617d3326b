import { expect, it } from "vitest"
import { criticalPath } from "../../src/lib/steps.js"

const names = (...steps: [string, number, number][]) =>
  criticalPath(steps.map(([name, start, end]) => ({ name, start, end }))).map(({ name }) => name)

it("the critical path leaves out what ran beside a longer step", () => {
  expect(
    names(
      ["version", 0, 1],
      ["check", 1, 1.2],
      ["build", 1.2, 2],
      ["test", 1.2, 9],
      ["verify", 9, 9.1],
      ["claim", 9.1, 9.5],
      ["deploy", 9.5, 70],
    ),
  ).toEqual(["version", "check", "test", "verify", "claim", "deploy"])
})

it("the critical path of nothing is empty, and of one step it is that", () => {
  expect(names()).toEqual([])
  expect(names(["version", 0, 1])).toEqual(["version"])
  expect(names(["a", 0, 0], ["b", 0, 0])).toContain("b")
})
