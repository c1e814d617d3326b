import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import semver from "semver"
import { afterAll, expect, test } from "vitest"
import { readCommits } from "../../src/git/log.js"
import { versionTags } from "../../src/git/tags.js"
import { UserError } from "../../src/lib/errors.js"
import { parseMessage } from "../../src/version/conventional-commit.js"
import { decide } from "../../src/version/decide.js"
import { git } from "../git/histories.js"
import { localShell } from "../git/local-shell.js"

const folder = mkdtempSync(join(tmpdir(), "properties-"))
afterAll(() => rmSync(folder, { recursive: true }))

const line = fc.oneof(
  fc.constantFrom(
    "feat: a",
    "fix: a",
    "feat!: a",
    "docs: a",
    "BREAKING CHANGE: b",
    "Release-As: 1.0.0",
    "revert: x",
  ),
  fc.string({ unit: "binary" }),
)
const message = fc.array(line, { maxLength: 6 }).map(lines => lines.join("\n"))

test("no text crashes the parser, and what it returns is from the text", () => {
  fc.assert(
    fc.property(message, text => {
      const parsed = parseMessage(text)
      expect(text.replace(/\r\n?/g, "\n")).toContain(parsed.subject)
      if (parsed.type === undefined) expect(parsed.breaking).toBe(false)
    }),
    { numRuns: 2000 },
  )
})

const number = fc.integer({ min: 0, max: 20 })
const core = fc.tuple(number, number, number).map(parts => parts.join("."))
const version = fc.oneof(
  core,
  fc.tuple(core, fc.constantFrom("rc.1", "beta", "0")).map(parts => parts.join("-")),
)
const tag = fc.oneof(
  version.map(text => `v${text}`),
  fc.constantFrom("latest", "v1", "1.2.3", "v01.2.3", "v1.2.3+build"),
)

test("the result is greater than the base and than every pre-release that is merged, or there is none", () => {
  fc.assert(
    fc.property(fc.array(tag), fc.array(message, { maxLength: 8 }), fc.boolean(), (tags, messages, lost) => {
      const merged = versionTags(tags)
      const commits = messages.map((text, i) => ({
        sha: String(i).padStart(40, "0"),
        parents: [],
        message: text,
      }))
      const history = { merged, atHead: [], ahead: [], known: merged, commits }
      try {
        const { next, current } = decide(history, { lost })
        if (next === null) {
          expect(current).not.toBeNull()
          return
        }
        expect(next).toMatch(/^\d+\.\d+\.\d+$/)
        for (const { version } of merged.filter(
          it => semver.prerelease(it.version) || it.version === current,
        )) {
          expect(semver.gt(next, version), `${next} > ${version}`).toBe(true)
        }
      } catch (error) {
        // Only a Release-As that is not greater may be refused.
        if (!(error instanceof UserError)) throw error
        expect(messages.join("\n")).toMatch(/Release-As/i)
      }
    }),
    { numRuns: 2000 },
  )
})

test("any bytes as messages come back from git as that many commits, in order, none forged", async () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map(data => Buffer.from(data.filter(byte => byte !== 0)))
  const hostile = message.map(text => Buffer.from(text.replaceAll("\0", "")))
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(bytes, hostile), { minLength: 1, maxLength: 12 }), async messages => {
      const clone = join(folder, String(run++))
      git(folder, ["init", "-q", "-b", "main", clone])
      const stream = messages.flatMap((text, i) => [
        Buffer.from(
          `commit refs/heads/main\ncommitter A <a@example.com> ${1e9 + i} +0000\ndata ${text.length}\n`,
        ),
        text,
        Buffer.from("\n"),
      ])
      execFileSync("git", ["fast-import", "--quiet"], { cwd: clone, input: Buffer.concat(stream) })
      const shas = git(clone, ["rev-list", "main"]).split("\n")
      const commits = await readCommits(localShell(clone), "", "")
      expect(commits.map(({ sha }) => sha)).toEqual(shas)
      const read = commits.map(({ message }) => message.trim()).reverse()
      const valid = messages.map(text => text.toString("utf8"))
      valid.forEach((text, i) => {
        if (Buffer.from(text).equals(messages[i] as Buffer))
          expect(read[i]).toBe(text.replace(/\n+$/, "").trim())
      })
    }),
    { numRuns: 25 },
  )
})
