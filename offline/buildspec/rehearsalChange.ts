import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { run } from "../machine/process.js"
import { BuildError } from "./errors.js"
import type { WebhookEvent } from "./event.js"
import type { Sandbox } from "./sandbox.js"

const FILE = "app/hello_world.py"
/** The page's background, and another one. */
const BACKGROUND = /linear-gradient\(135deg, #\w+, #\w+\)/
const OTHER = "linear-gradient(135deg, #3b1d4a, #c2556b)"

/** A change of the app, committed. */
export interface Change {
  subject: string
  commit: string
  diff: string
}

/** Clones a repository's HEAD, on the branch, to work in. */
export async function cloneToWork(source: string, folder: string, branch: string): Promise<void> {
  await git(source, "clone", "--quiet", "--no-checkout", source, folder)
  const head = await git(source, "rev-parse", "HEAD")
  await git(folder, "checkout", "--quiet", "-B", branch, head)
}

/**
 * Gives the app's page another background and commits it as a feature, an hour after the commit before, so that the same
 * repository gives the same commit each time.
 */
export async function changeApp(folder: string): Promise<Change> {
  const file = join(folder, FILE)
  const before = readFileSync(file, "utf8")
  if (!BACKGROUND.test(before)) throw new BuildError(`${FILE} has no background to change (${BACKGROUND}).`)
  writeFileSync(file, before.replace(BACKGROUND, OTHER))
  const subject = "feat: the page at dusk"
  const date = `${Number(await git(folder, "log", "-1", "--format=%ct")) + 3600} +0000`
  const who = { NAME: "Rehearsal", EMAIL: "rehearsal@example.com", DATE: date }
  const env = Object.entries(who).flatMap(([name, value]) => [
    [`GIT_AUTHOR_${name}`, value],
    [`GIT_COMMITTER_${name}`, value],
  ])
  await gitWith(Object.fromEntries(env), folder, "commit", "--quiet", "--all", "--message", subject)
  const commit = await git(folder, "rev-parse", "HEAD")
  const diff = await git(folder, "show", "--format=", "--unified=0", "--no-prefix", "HEAD")
  return { subject, commit, diff: diff.slice(diff.indexOf("--- ")) }
}

/** Pushes the branch to the sandbox's remote. Returns the event that the host would send. */
export async function push(folder: string, sandbox: Sandbox, branch: string): Promise<WebhookEvent> {
  const { url, token } = sandbox.repository
  const previous = await git(folder, "rev-parse", "HEAD^")
  await git(folder, "push", "--quiet", url.replace("://", `://x-access-token:${token}@`), branch)
  return {
    type: "PUSH",
    headRef: `refs/heads/${branch}`,
    commit: await git(folder, "rev-parse", branch),
    previous,
  }
}

function git(folder: string, ...args: string[]): Promise<string> {
  return gitWith({}, folder, ...args)
}

async function gitWith(env: Record<string, string>, folder: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("git", ["-c", "safe.directory=*", "-C", folder, ...args], {
    env: { ...process.env, GIT_TERMINAL_PROMPT: "0", ...env },
  })
  if (code !== 0) throw new BuildError(`git ${args[0]} failed: ${stderr.trim()}`)
  return stdout.trim()
}
