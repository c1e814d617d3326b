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

test("a revert of a merge that keeps the other, released side cancels this side", () => {
  const merge = commit("d", "Merge branch 'main'", "b", "9")
  const all = [revert("e", "d", "d", "9"), merge, commit("b", "feat!: x", "a"), commit("a", "fix: y", "0")]
  expect(effects(all)).toEqual({ e: "none", d: "none", b: "none", a: "none" })
})

test("a revert of a merge that names it many times is not slower for that", () => {
  const branch = Array.from({ length: 3000 }, (_, at) => `${at}`.padStart(40, "0"))
  const commits = branch.map((sha, at) => ({
    sha,
    parents: at === 0 ? [] : [branch[at - 1] as string],
    message: "fix: x",
  }))
  const merge = { sha: id("e"), parents: [id("9"), branch.at(-1) as string], message: "Merge" }
  const refs = Array.from({ length: 20_000 }, () => id("e")).join(", ")
  const reverting = { sha: id("f"), parents: [id("e")], message: `revert: x\n\nRefs: ${refs}` }
  expect(classify([reverting, merge, ...commits]).every(({ effect }) => effect === "none")).toBe(true)
})

test("a commit elsewhere changes no version, but a revert may name it", () => {
  const elsewhere = { ...commit("b", "feat!: x", "a"), elsewhere: true }
  expect(effects([elsewhere])).toEqual({})
  const both = commit("c", `revert: x\n\nRefs: ${id("b")}, ${id("a")}`, "b")
  expect(effects([both, elsewhere, commit("a", "feat: y", "0")])).toEqual({ a: "none", c: "none" })
})
