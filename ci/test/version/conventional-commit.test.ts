import { describe, expect, test } from "vitest"
import { parseMessage } from "../../src/version/conventional-commit.js"

describe("a commit's header", () => {
  test.each([
    ["feat: a", "feat"],
    ["Feat: a", "feat"],
    ["feat(api/v2, core): a", "feat"],
    ["feat(ключ): поддержка 日本語", "feat"],
    ["feat:  two spaces", "feat"],
    ["build-tools: a", "build-tools"],
    ["\n\nfix: after blank lines", "fix"],
    ["feat: a\u2028b", "feat"],
  ])("%j has the type %s", (message, type) => expect(parseMessage(message).type).toBe(type))

  test.each([
    "feat : a",
    "feat:a",
    "feat:",
    "feat: ",
    "feat(): a",
    "feat(a: b",
    "feat (a): b",
    " feat: a",
    "fixup! feat: a",
    "Merge branch 'feat: x'",
    "* feat: a",
    ": a",
    "",
  ])("%j is not a conventional one", message => expect(parseMessage(message).type).toBeUndefined())
})

describe("a breaking change", () => {
  test.each([
    "feat!: a",
    "chore(deps)!: a",
    "fix: a\n\nBREAKING CHANGE: b",
    "fix: a\n\nBREAKING-CHANGE: b",
    "fix: a\nBREAKING CHANGE: b",
    "fix: a\r\n\r\nbody\r\n\r\nBREAKING CHANGE: y\r\n",
  ])("%j is one", message => expect(parseMessage(message).breaking).toBe(true))

  test.each([
    "fix: a\n\nbreaking change: b",
    "fix: a\n\nBreaking Change: b",
    "fix: a\n\nthis is no BREAKING CHANGE: b",
    "fix: a\n\n BREAKING CHANGE: b",
    "fix: a\n\nBREAKING CHANGE b",
    "fix: a\n\nBREAKING CHANGES: b",
    "fix: a\n\n* feat!: b",
    "Merge branch 'x'\n\nBREAKING CHANGE: b",
    "feat !: a",
  ])("%j is not one", message => expect(parseMessage(message).breaking).toBe(false))

  test("keeps its note", () =>
    expect(parseMessage("fix: a\n\nBREAKING CHANGE: use b").breakingNote).toBe("use b"))
})

describe("a revert", () => {
  const sha = "0123456789abcdef0123456789abcdef01234567"
  const other = "fedcba9876543210fedcba9876543210fedcba98"

  test.each([
    [`Revert "feat: x"\n\nThis reverts commit ${sha}.`, [{ sha, since: undefined }]],
    [`Reapply "feat: x"\n\nThis reverts commit ${sha}.`, [{ sha, since: undefined }]],
    [
      `Revert "Merge branch 'x'"\n\nThis reverts commit ${sha}, reversing\nchanges made to ${other}.`,
      [{ sha, since: other }],
    ],
    ["revert: feat: x\n\nRefs: 676104e, a215868", [{ sha: "676104e" }, { sha: "a215868" }]],
    ["revert: feat: x", []],
  ])("%j names its targets", (message, reverts) => {
    expect(parseMessage(message)).toMatchObject({ type: "revert", reverts })
  })

  test("is not one if another kind of commit mentions one", () =>
    expect(parseMessage(`fix: a\n\nThis reverts commit ${sha}.`).reverts).toEqual([]))
})

test("Release-As is a footer of its own line, in any case", () => {
  expect(parseMessage("chore: a\n\nrelease-as: 2.0.0 \n").releaseAs).toBe("2.0.0")
  expect(parseMessage("chore: a\n\nsays Release-As: 2.0.0").releaseAs).toBeUndefined()
  expect(parseMessage("Release-As: 2.0.0").releaseAs).toBeUndefined()
})

// A parser that is not linear in the length takes hours here, and the test's time runs out.
test.each([
  ["one word", (n: number) => "a".repeat(n)],
  ["a header of a type only", (n: number) => `fix: ${"a".repeat(n)}`],
  ["a scope that never ends", (n: number) => `feat(${"a".repeat(n)}`],
  ["many scopes", (n: number) => "feat(a".repeat(n / 6)],
  ["spaces before nothing", (n: number) => `fix:${" ".repeat(n)}`],
  ["spaces between", (n: number) => `fix: a${" ".repeat(n)}b`],
  ["newlines", (n: number) => "\n".repeat(n)],
  ["carriage returns", (n: number) => `${"\r".repeat(n)}x`],
  ["footers that almost match", (n: number) => `fix: a\n${"BREAKING CHANGE:\n".repeat(n / 17)}`],
  ["a Release-As that never ends", (n: number) => `fix: a\n\nRelease-As: ${"1 ".repeat(n / 2)}`],
  [
    "reverts that almost match",
    (n: number) => `Revert "x"\n\n${"This reverts commit 0123456, reversing ".repeat(n / 38)}`,
  ],
  ["refs without end", (n: number) => `revert: x\n\nRefs: ${"0123456 ".repeat(n / 8)}`],
])("a megabyte of %s is read", (_, make) => {
  const message = make(1 << 20)
  const { subject, breaking, reverts } = parseMessage(message)
  expect(message.replace(/^[\r\n]+/, "").startsWith(subject)).toBe(true)
  expect({ breaking, reverts: reverts.length > 0 }).toEqual({
    breaking: false,
    reverts: message.startsWith("rev") || message.startsWith("Rev"),
  })
})

test.each([
  ["Release-As: 2.0.0", "2.0.0"],
  ["Release-As : 2.0.0", "2.0.0"],
  ["Release-As #2.0.0", "2.0.0"],
  ["Release-As: 2.0.0 (see #12)", "2.0.0 (see #12)"],
  ["Release-As: see the docs", undefined],
  ["Release-As footers set the version", undefined],
])("%s: the version asked for is %s", (line, wanted) =>
  expect(parseMessage(`chore: x\n\n${line}\n`).releaseAs).toBe(wanted),
)

test("git's own revert may break something, too", () =>
  expect(
    parseMessage('Revert "feat: x"\n\nThis reverts commit 1234567.\n\nBREAKING CHANGE: /x is gone'),
  ).toMatchObject({ type: "revert", breaking: true, breakingNote: "/x is gone" }))
