/**
 * Times the version of a commit, on 10,000 commits with 5,000 since the last tag, beside tools that compute one too. Each
 * runs in the same clone, in turn, and the median counts.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gitEnvironment } from "../ci/src/git/config.js"
import { versionOfClone } from "../ci/test/git/local-shell.js"
import { type Row, report, timed } from "./measure.js"

const commits = 10_000
const sinceTag = 5_000

/** Writes the history with one `git fast-import`. */
function makeHistory(folder: string): void {
  execFileSync("git", ["init", "-q", "-b", "main", folder])
  const types = ["fix", "feat", "docs", "chore", "test"]
  const stream: string[] = []
  for (let i = 1; i <= commits; i++) {
    const message = `${types[i % types.length]}(part-${i % 7}): change number ${i}\n\nWhat it does and why.\n\nRefs: #${i}\n`
    stream.push(`commit refs/heads/main\nmark :${i}\ncommitter A <a@example.com> ${1.7e9 + i * 60} +0000`)
    stream.push(`data ${message.length}\n${message}`)
    const content = JSON.stringify({ name: "app", version: "1.0.0", build: i })
    stream.push(`M 100644 inline package.json\ndata ${content.length}\n${content}\n`)
    if (i % 500 === 0 && i <= commits - sinceTag) {
      stream.push(`reset refs/tags/v1.${i / 500}.0\nfrom :${i}\n`)
    }
  }
  execFileSync("git", ["fast-import", "--quiet"], { cwd: folder, input: stream.join("\n") })
  execFileSync("git", ["reset", "-q", "--hard", "main"], { cwd: folder })
  const config = { branches: ["main"], plugins: ["@semantic-release/commit-analyzer"], repositoryUrl: folder }
  writeFileSync(join(folder, ".git", "info", "exclude"), ".releaserc.json\n")
  writeFileSync(join(folder, ".releaserc.json"), JSON.stringify(config))
}

/** The rows of the table: what is timed, and the version that it gives. */
export async function benchVersion(peers: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bench-version-"))
  try {
    makeHistory(folder)
    const env = { ...process.env, ...gitEnvironment }
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
    console.log(`\nversion: ${commits} commits, ${sinceTag} since the tag v1.10.0`)
    report(rows, "git log v1.10.0..HEAD")
  } finally {
    rmSync(folder, { recursive: true })
  }
}
