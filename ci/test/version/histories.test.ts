import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { build, cases } from "../git/histories.js"
import { versionOfClone } from "../git/local-shell.js"

const folder = mkdtempSync(join(tmpdir(), "histories-"))
afterAll(() => rmSync(folder, { recursive: true }))

describe("the version of a history", () => {
  // A shallow clone is refused one step later: ../git/clones.test.ts.
  for (const one of cases.filter(({ steps }) => !steps.some(({ op }) => op === "clone"))) {
    test(`${one.name}: ${one.expected.reason}`, async () => {
      const found = versionOfClone(build(one, join(folder, one.name)), { path: one.path })
      if (one.expected.error) return expect(found).rejects.toThrow(/→/)
      const { next, bump, current } = await found
      expect({ next, bump, current }).toEqual({
        next: one.expected.next,
        bump: one.expected.bump,
        current: one.expected.current,
      })
    })
  }
})
