import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { changelog, type Release, releasesSince } from "../src/changelog.js"
import { updateChangelog } from "../src/changelog-file.js"
import { readHead } from "../src/git/head.js"
import { type Host, hostOf } from "../src/git/host.js"
import type { Settings } from "../src/settings.js"
import { classify } from "../src/version/bump.js"
import type { ComputedVersion } from "../src/version/compute.js"
import { commitIn, git } from "./git/histories.js"
import { localHistory } from "./git/local-shell.js"

const host = hostOf("https://github.com/team/web.git") as Host
const commits = (...messages: string[]) =>
  classify(
    messages.map((message, at) => ({ sha: String(at + 1).repeat(40), parents: [], message: `${message}\n` })),
  )

describe("links to the host", () => {
  const id = "1".repeat(40)
  test.each([
    ["https://github.com/team/web.git", {}, `https://github.com/team/web/commit/${id}`],
    ["https://gitlab.com/a/b/web.git", {}, `https://gitlab.com/a/b/web/-/commit/${id}`],
    ["https://gitlab.example.com/a/web", {}, `https://gitlab.example.com/a/web/-/commit/${id}`],
    ["https://bitbucket.org/team/web.git", {}, `https://bitbucket.org/team/web/commits/${id}`],
    [
      "https://git.example.com/a/web.git",
      { gitUsername: "oauth2" },
      `https://git.example.com/a/web/-/commit/${id}`,
    ],
    [
      "https://git.example.com/a/web.git",
      { gitApi: "https://git.example.com/api/v3" },
      `https://git.example.com/a/web/commit/${id}`,
    ],
  ])("%s %o", (url, settings, page) => {
    expect(changelog("1.0.0", "2026-01-31T00:00:00Z", commits("feat: a"), hostOf(url, settings))).toContain(
      `- a ([1111111](${page}))`,
    )
  })

  test("a host that is not known gets none", () => {
    const notes = changelog(
      "1.0.0",
      "2026-01-31",
      commits("feat: a"),
      hostOf("https://git.example.com/a/b.git"),
    )
    expect(notes).toContain("- a (1111111)\n")
  })

  test("pull requests are links, and a commit's own text contains none", () => {
    const notes = changelog("1.0.0", "2026-01-31", commits("fix: [x](javascript:alert(1)) (#12)"), host)
    expect(notes).toContain(
      "- \\[x\\](javascript:alert(1)) ([#12](https://github.com/team/web/pull/12)) ([1111111](",
    )
  })
})

describe("the changelog file", () => {
  const releases: Release[] = [
    {
      version: "1.1.0",
      date: "2026-02-01T10:00:00Z",
      before: "1.0.0",
      commits: commits("feat: two", "perf: fast"),
    },
    {
      version: "1.0.0",
      date: "2026-01-01T10:00:00Z",
      commits: commits("feat!: one", "fix: bug", "docs: none"),
    },
  ]
  const links = { host, tagPrefix: "" }

  test("starts in the form of Keep a Changelog", () => {
    const text = updateChangelog("", releases, links)
    expect(text).toMatch(/^# Changelog\n\n/)
    expect(text.slice(text.indexOf("## "))).toBe(`## [1.1.0] - 2026-02-01

### Added

- two ([1111111](https://github.com/team/web/commit/${"1".repeat(40)}))

### Changed

- fast ([2222222](https://github.com/team/web/commit/${"2".repeat(40)}))

## [1.0.0] - 2026-01-01

### Changed

- **Breaking:** one ([1111111](https://github.com/team/web/commit/${"1".repeat(40)}))

### Fixed

- bug ([2222222](https://github.com/team/web/commit/${"2".repeat(40)}))

[1.1.0]: https://github.com/team/web/compare/v1.0.0...v1.1.0
[1.0.0]: https://github.com/team/web/releases/tag/v1.0.0
`)
  })

  test("is the same after a second time", () => {
    const once = updateChangelog("", releases, links)
    expect(updateChangelog(once, releases, links)).toBe(once)
  })

  test("keeps what it has, and gets what it lacks below Unreleased and above the rest", () => {
    const before = `# Changes

## [Unreleased]

- by hand

## [1.0.0] - 2026-01-01

- edited by hand

[Unreleased]: https://github.com/team/web/compare/v1.0.0...HEAD
[1.0.0]: https://github.com/team/web/releases/tag/v1.0.0
`
    const text = updateChangelog(before, releases, links)
    const order = [
      "- by hand",
      "## [1.1.0]",
      "- two",
      "## [1.0.0]",
      "- edited by hand",
      "[Unreleased]:",
      "[1.1.0]:",
      "[1.0.0]:",
    ]
    expect(order.map(part => text.indexOf(part)).every((at, i, all) => at > (all[i - 1] ?? -1))).toBe(true)
    for (const line of before.split("\n").filter(it => !it.startsWith("[Unreleased]")))
      expect(text.split("\n")).toContain(line)
    expect(text.match(/^## \[1\.0\.0\]/gm)).toHaveLength(1)
    expect(text).toContain("v1.1.0...HEAD\n[1.1.0]: https")
    expect(updateChangelog(text, releases, links)).toBe(text)
  })

  test("with a host that is not known it has no links; the prefix of tags is in those it has", () => {
    expect(updateChangelog("", releases, { tagPrefix: "" })).not.toMatch(/^\[1|commit\//m)
    expect(updateChangelog("", releases, { host, tagPrefix: "api/" })).toContain(
      "compare/api%2Fv1.0.0...api%2Fv1.1.0",
    )
  })

  test("a file with CRLF line ends, and one without any version", () => {
    const text = updateChangelog("# Changes\r\n\r\n## Unreleased\r\n\r\n- x\r\n", releases, links)
    expect(text).toMatch(/## Unreleased\r\n\r\n- x\r\n\r\n## \[1\.1\.0\]/)
    expect(text.replaceAll("\r\n", "")).not.toContain("\n")
  })
})

describe("odd commits and files", () => {
  const links = { host, tagPrefix: "" }
  const of = (...messages: string[]): Release[] => [
    { version: "2.0.0", date: "2026-02-01", commits: commits(...messages) },
  ]

  test("a breaking fix is listed once", () => {
    const text = updateChangelog("", of("fix!: x", "revert!: y"), links)
    expect(text.match(/^- .*x \(/gm)).toHaveLength(1)
    expect(text.match(/^- .*y \(/gm)).toHaveLength(1)
    expect(text).not.toContain("### Fixed")
  })

  test("a version in fenced code does not count", () => {
    const before = "# Changes\n\n```\n## [9.0.0]\n```\n\n## [1.0.0]\n"
    expect(updateChangelog(before, of("feat: x"), links)).toMatch(
      /```\n\n## \[2\.0\.0\][\s\S]*## \[1\.0\.0\]/,
    )
  })

  test.each([
    ["# heading", "\\# heading"],
    ["~~~ fence", "\\~~~ fence"],
    ["- list", "\\- list"],
    ["1. list", "1\\. list"],
    ["2) list", "2\\) list"],
    ["+ list", "\\+ list"],
    ["#12", "[#12]("],
    ["use #333333", "use #333333 ("],
  ])("a description %o is text", (description, text) => {
    expect(changelog("1.0.0", "2026-01-31", commits(`feat: ${description}`), host)).toContain(`- ${text}`)
  })

  test.each(["# [1.3.0](https://x/compare) (2026-01-01)", "### [1.3.0](https://x) (2026-01-01)", "## 1.3.0"])(
    "a heading of another tool's counts: %s",
    heading => {
      const before = `# Changelog\n\n${heading}\n\n- old\n`
      const after = updateChangelog(
        before,
        [...of("feat: x"), { ...of("feat: y")[0], version: "1.3.0" } as Release],
        links,
      )
      expect(after.match(/1\.3\.0/g)).toHaveLength(heading.match(/1\.3\.0/g)?.length ?? 0)
      expect(after.indexOf("2.0.0")).toBeLessThan(after.indexOf("1.3.0"))
    },
  )

  test("an @name notifies nobody", () => {
    expect(changelog("1.0.0", "2026-01-31", commits("feat: thanks @team"), host)).not.toContain("@team")
  })
})

describe("the versions since another one", () => {
  const folder = mkdtempSync(join(tmpdir(), "changelog-"))
  afterAll(() => rmSync(folder, { recursive: true }))
  const commit = (message: string) => commitIn(folder, message)
  let found: ComputedVersion
  beforeAll(async () => {
    git(folder, ["init", "-q", "-b", "main"])
    for (const [message, tag] of [
      ["feat: one", "v1.0.0"],
      ["feat: two", "v1.1.0"],
      ["fix: three", "v1.1.1"],
      ["feat: rc", "v2.0.0-rc.1"],
      ["feat: pending", ""],
    ] as const) {
      commit(message)
      if (tag) git(folder, ["tag", tag])
    }
    const { shell } = await localHistory(folder)
    const head = await readHead(shell, "")
    const decision = { commits: commits("feat: pending", "feat: rc") }
    found = {
      repository: { history: { run: shell } },
      head,
      decision,
      version: "1.2.0",
    } as unknown as ComputedVersion
  })
  const since = async (version: string) =>
    (await releasesSince(found, { path: "", tagPrefix: "" } as Settings, version)).map(it => [
      it.version,
      it.before,
      it.commits.map(({ parsed }) => parsed.description).join(),
    ])

  test("all, each with its own commits, and what HEAD would release first", async () => {
    expect(await since("")).toEqual([
      ["1.2.0", "1.1.1", "pending,rc"],
      ["1.1.1", "1.1.0", "three"],
      ["1.1.0", "1.0.0", "two"],
      ["1.0.0", undefined, "one"],
    ])
  })

  test("after one, with or without its v", async () => {
    expect((await since("v1.1.0")).map(([version]) => version)).toEqual(["1.2.0", "1.1.1"])
    expect((await since("1.1.1")).map(([version]) => version)).toEqual(["1.2.0"])
  })

  test("one that is not in the history is refused, with those that are", async () => {
    await expect(since("3.0.0")).rejects.toThrow(/no version "3.0.0"[\s\S]*1\.1\.1, 1\.1\.0, 1\.0\.0/)
  })
})
