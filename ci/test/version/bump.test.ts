import { expect, test } from "vitest"
import { classify } from "../../src/version/bump.js"

const id = (letter: string) => letter.repeat(40)
const commit = (letter: string, message: string, ...parents: string[]) => ({
  sha: id(letter),
  parents: parents.map(id),
  message,
})
const revert = (letter: string, of: string, parent: string, since?: string) =>
  commit(
    letter,
    `Revert "x"\n\nThis reverts commit ${id(of)}${since ? `, reversing\nchanges made to ${id(since)}` : ""}.`,
    parent,
  )
const effects = (commits: ReturnType<typeof commit>[]) =>
  Object.fromEntries(classify(commits).map(({ sha, effect }) => [sha[0], effect]))

test("a revert in the range cancels its target and itself", () =>
  expect(effects([revert("c", "b", "b"), commit("b", "feat: x", "a"), commit("a", "fix: y", "0")])).toEqual({
    a: "patch",
    b: "none",
    c: "none",
  }))

test("a revert of what is released is a patch", () =>
  expect(effects([revert("c", "9", "b")])).toEqual({ c: "patch" }))

test("a revert of a revert brings the first commit back", () =>
  expect(effects([revert("d", "c", "c"), revert("c", "b", "b"), commit("b", "feat: x", "a")])).toEqual({
    b: "minor",
    c: "none",
    d: "none",
  }))

test("a revert of one commit in the range and one before it stays a patch", () => {
  const both = commit("c", `revert: x\n\nRefs: ${id("b")}, ${id("9")}`, "b")
  expect(effects([both, commit("b", "feat!: x", "a")])).toEqual({ b: "none", c: "patch" })
})

test("a revert of a merge cancels the commits that it brought, and no others", () => {
  const history = [
    revert("f", "e", "e", "d"),
    commit("e", "Merge branch 'x'", "d", "c"),
    commit("d", "fix: on main", "a"),
    commit("c", "feat: on the branch", "b"),
    commit("b", "feat!: on the branch", "a"),
    commit("a", "docs: before", "0"),
  ]
  expect(effects(history)).toEqual({ a: "none", b: "none", c: "none", d: "patch", e: "none", f: "none" })
})

test("an abbreviated id that fits two commits cancels neither", () => {
  const [x, y] = ["1234567a", "1234567b"].map(start => start.padEnd(40, "0")) as [string, string]
  const judged = classify([
    { sha: id("c"), parents: [x], message: "revert: x\n\nRefs: 1234567" },
    { sha: x, parents: [y], message: "feat: x" },
    { sha: y, parents: [], message: "feat: y" },
  ])
  expect(judged.map(({ effect }) => effect)).toEqual(["patch", "minor", "minor"])
})

test("a commit that names itself cancels nothing", () =>
  expect(effects([revert("a", "a", "0")])).toEqual({ a: "patch" }))
