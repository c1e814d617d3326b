/**
 * Times the version of a commit, on 10,000 commits with 5,000 since the last tag, beside tools that compute one too; each
 * runs in the same clone, in turn, and the median counts. And how it grows with the history, from 1,000 commits to 100,000.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { versionOfClone } from "../ci/test/git/local-shell.js"
import { type Row, ratios, timed } from "./measure.js"

/** Half of the commits come after the last tag. */
const sizes = [1_000, 10_000, 100_000]

/** Writes the history with one `git fast-import`. */
function makeHistory(folder: string, commits: number): void {
  execFileSync("git", ["init", "-q", "-b", "main", folder])
  const types = ["fix", "feat", "docs", "chore", "test"]
  const stream: string[] = []
  for (let i = 1; i <= commits; i++) {
    const message = `${types[i % types.length]}(part-${i % 7}): change number ${i}\n\nWhat it does and why.\n\nRefs: #${i}\n`
    stream.push(`commit refs/heads/main\nmark :${i}\ncommitter A <a@example.com> ${1.7e9 + i * 60} +0000`)
    stream.push(`data ${message.length}\n${message}`)
    const content = JSON.stringify({ name: "app", version: "1.0.0", build: i })
    stream.push(`M 100644 inline package.json\ndata ${content.length}\n${content}\n`)
    if (i % (commits / 20) === 0 && i <= commits / 2) {
      stream.push(`reset refs/tags/v1.${i / (commits / 20)}.0\nfrom :${i}\n`)
    }
  }
  execFileSync("git", ["fast-import", "--quiet"], { cwd: folder, input: stream.join("\n") })
  execFileSync("git", ["reset", "-q", "--hard", "main"], { cwd: folder })
  const config = { branches: ["main"], plugins: ["@semantic-release/commit-analyzer"], repositoryUrl: folder }
  writeFileSync(join(folder, ".git", "info", "exclude"), ".releaserc.json\n")
  writeFileSync(join(folder, ".releaserc.json"), JSON.stringify(config))
}

/** The rows of the table: what is timed, and the version that it gives. */
export async function benchVersion(peers: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "bench-version-"))
  try {
    makeHistory(folder, 10_000)
    const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" }
    const run = (command: string, ...args: string[]) =>
      execFileSync(command, args, {
        cwd: folder,
        env,
        stdio: ["ignore", "pipe", "pipe"],
        maxBuffer: 1 << 28,
      }).toString()
    const tool = (name: string) => join(peers, "node_modules", ".bin", name)
    const found = (text: string) =>
      /(\d+\.\d+\.\d+)(?!.*\d+\.\d+\.\d+)/s.exec(text)?.[1] ?? text.trim().slice(0, 40)
    const rows: Row[] = [
      await timed("git log v1.10.0..HEAD", 15, () => `${run("git", "log", "v1.10.0..HEAD").length} bytes`),
      await timed("ecs-release", 15, async () => (await versionOfClone(folder)).next ?? "none"),
      await timed("git describe (no version)", 15, () => run("git", "describe", "--tags").trim()),
      await timed("git-cliff --bumped-version", 5, () => found(run(tool("git-cliff"), "--bumped-version"))),
      await timed("commit-and-tag-version --dry-run", 3, () =>
        found(run(tool("commit-and-tag-version"), "--dry-run", "--silent=false").split("\n")[0] ?? ""),
      ),
      await timed("semantic-release --dry-run", 3, () =>
        found(
          /next release version is (\S+)/.exec(run(tool("semantic-release"), "--dry-run", "--no-ci"))?.[1] ??
            "none",
        ),
      ),
    ]
    return [
      "version: 10,000 commits, 5,000 since the tag v1.10.0",
      ...ratios(rows, "git log v1.10.0..HEAD"),
      "version: growth with the history, half of it since the last tag",
      ...ratios(await growth(), "10,000 commits"),
    ]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function growth(): Promise<Row[]> {
  const rows: Row[] = []
  for (const size of sizes) {
    const folder = mkdtempSync(join(tmpdir(), "bench-version-"))
    try {
      makeHistory(folder, size)
      const name = `${size.toLocaleString("en")} commits`
      rows.push(await timed(name, 5, async () => (await versionOfClone(folder)).next ?? "none"))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  return rows
}
