import { run } from "../machine/process.js"
import { BuildError } from "./errors.js"
import type { WebhookEvent } from "./event.js"

/**
 * The event as which a work tree's HEAD reaches CodeBuild: pushed to its branch (to `branch` where HEAD is on none), or
 * as a pull request for `branch`.
 *
 * @throws BuildError where the folder is no repository or has no commit
 */
export async function eventOf(
  folder: string,
  kind: "push" | "pull_request",
  branch: string,
): Promise<WebhookEvent> {
  const commit = await git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
  if (!commit) throw new BuildError(`${folder} is no git repository with a commit.`)
  const current = await git(folder, "symbolic-ref", "--quiet", "--short", "HEAD")
  if (kind === "push") {
    const previous = await git(folder, "rev-parse", "--verify", "--quiet", "HEAD^")
    return {
      type: "PUSH",
      headRef: `refs/heads/${current || branch}`,
      commit,
      previous: previous || undefined,
    }
  }
  const head = current && current !== branch ? current : "change"
  return {
    type: "PULL_REQUEST_CREATED",
    headRef: `refs/heads/${head}`,
    baseRef: `refs/heads/${branch}`,
    commit,
  }
}

/** True where a work tree has changes that are not committed. */
export async function isDirty(folder: string): Promise<boolean> {
  return (await git(folder, "status", "--porcelain")) !== ""
}

async function git(folder: string, ...args: string[]): Promise<string> {
  const { code, stdout } = await run("git", ["-c", "safe.directory=*", "-C", folder, ...args])
  return code === 0 ? stdout.trim() : ""
}
