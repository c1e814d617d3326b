import { expect, test } from "vitest"
import { versionTags } from "../../src/git/tags.js"
import { decide } from "../../src/version/decide.js"

const history = (
  tags: { merged?: string[]; atHead?: string[]; ahead?: string[]; known?: string[] },
  ...messages: string[]
) => {
  const { merged = [], atHead = [], ahead = [] } = tags
  const known = versionTags([...merged, ...ahead, ...(tags.known ?? [])])
  const commits = messages.map((message, i) => ({ sha: String(i).repeat(40), parents: [], message }))
  return {
    merged: versionTags(merged),
    atHead: versionTags(atHead),
    ahead: versionTags(ahead),
    known,
    commits,
  }
}

test("a number that a commit outside HEAD's history has is refused, with one that is free", () =>
  expect(() => decide(history({ merged: ["v1.2.3"], known: ["v1.2.4"] }, "fix: a"))).toThrow(
    /1\.2\.4 is taken[\s\S]*→.*Release-As: 1\.2\.5/,
  ))

test.each([
  ["fix: a", ["v1.2.4"], "1.2.5"],
  ["fix: a", ["v1.2.4", "v1.2.5"], "1.2.6"],
  ["feat: a", ["v1.3.0"], "1.4.0"],
  ["feat!: a", ["v2.0.0"], "3.0.0"],
])("losing the number of %j to %j takes the next one, %s", (message, known, next) =>
  expect(decide(history({ merged: ["v1.2.3"], known }, message), { lost: true }).next).toBe(next),
)

test("losing a number that Release-As asked for gives no other one", () =>
  expect(() =>
    decide(history({ merged: ["v1.2.3"], known: ["v2.0.0"] }, "chore: go\n\nRelease-As: 2.0.0"), {
      lost: true,
    }),
  ).toThrow(/2\.0\.0 is taken[\s\S]*→ .*Release-As: 2\.0\.1/))

test("losing to a commit in the same history counts on from there", () =>
  expect(decide(history({ merged: ["v1.2.4", "v1.2.3"] }, "feat: b"), { lost: true }).next).toBe("1.3.0"))

test("a released commit that comes after HEAD makes HEAD out of date", () => {
  expect(decide(history({ merged: ["v1.2.3"], ahead: ["v1.3.0"] }, "fix: a"))).toMatchObject({
    next: "1.2.4",
    supersededBy: "1.3.0",
  })
  const tagged = { merged: ["v1.2.3"], atHead: ["v1.2.3"], ahead: ["v1.3.0", "v1.4.0-rc.1"] }
  expect(decide(history(tagged))).toMatchObject({ next: null, current: "1.2.3", supersededBy: "1.3.0" })
})

test("a pre-release after HEAD does not", () =>
  expect(decide(history({ merged: ["v1.2.3"], ahead: ["v2.0.0-rc.1"] }, "fix: a")).supersededBy).toBeNull())

test("HEAD's own tag is its version, even if a higher one is merged", () =>
  expect(decide(history({ merged: ["v2.0.0", "v1.9.9"], atHead: ["v1.9.9"] }))).toMatchObject({
    current: "1.9.9",
    next: null,
  }))

test.each([
  [{ merged: ["v1.2.3", "v2.0.0-rc.1"] }, "fix: a", "2.0.0"],
  [{ merged: ["v1.2.3", "v1.2.4-rc.1"] }, "fix: a", "1.2.4"],
  [{ merged: ["v1.2.3", "v1.2.4-rc.1"] }, "feat: a", "1.3.0"],
  [{ merged: ["v0.1.0-rc.1"] }, "feat: a", "0.1.0"],
])("with %j, %j gives %s", (tags, message, next) => expect(decide(history(tags, message)).next).toBe(next))

test.each(["1.2.3", "1.0.0", "2.0.0-rc.1", "v2.0.0", "2.0", "next"])("Release-As: %s is refused", asked =>
  expect(() => decide(history({ merged: ["v1.2.3"] }, `fix: a\n\nRelease-As: ${asked}`))).toThrow(/→/),
)

test("the newest Release-As counts, unless it was reverted", () => {
  const asks = (version: string) => `chore: a\n\nRelease-As: ${version}`
  expect(decide(history({ merged: ["v1.2.3"] }, asks("3.0.0"), asks("4.0.0")))).toMatchObject({
    next: "3.0.0",
    bump: "override",
  })
  const reverted = `Revert "chore: a"\n\nThis reverts commit ${"1".repeat(40)}.`
  expect(decide(history({ merged: ["v1.2.3"] }, reverted, asks("3.0.0"))).next).toBeNull()
})
