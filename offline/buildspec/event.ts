import { BuildError } from "./command.js"
import { git } from "./source.js"

/** The event that a push or a pull request sends to CodeBuild through the repository's webhook. */
export interface WebhookEvent {
  /** CodeBuild's name of it. */
  type: "PUSH" | "PULL_REQUEST_CREATED"
  /** The branch pushed to, or the pull request's: `refs/heads/NAME`. */
  headRef: string
  /** The branch that the pull request is for. */
  baseRef?: string
  commit: string
  /** The branch's commit before a push. */
  previous?: string
}

/**
 * The event by which a work tree's HEAD reaches CodeBuild: pushed to its branch (to `branch` if HEAD is on none), or as a
 * pull request for `branch`.
 *
 * @throws BuildError if the folder isn't a repository or has no commit
 */
export async function eventOf(
  folder: string,
  kind: "push" | "pull_request",
  branch: string,
): Promise<WebhookEvent> {
  const ask = (...args: string[]) => git(folder, args).catch(() => "")
  const commit = await ask("rev-parse", "--verify", "--quiet", "HEAD")
  if (!commit) throw new BuildError(`${folder} isn't a git repository with a commit.`)
  const current = await ask("symbolic-ref", "--quiet", "--short", "HEAD")
  if (kind === "push") {
    const previous = await ask("rev-parse", "--verify", "--quiet", "HEAD^")
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

/** The variables that tell a build's commands about the event. */
export function eventVariables(event: WebhookEvent): Record<string, string> {
  const isPush = event.type === "PUSH"
  const branch = event.headRef.replace("refs/heads/", "")
  return {
    CODEBUILD_INITIATOR: "GitHub-Hookshot/offline",
    CODEBUILD_RESOLVED_SOURCE_VERSION: event.commit,
    CODEBUILD_SOURCE_VERSION: isPush ? event.commit : "pr/1",
    CODEBUILD_WEBHOOK_EVENT: event.type,
    CODEBUILD_WEBHOOK_HEAD_REF: event.headRef,
    CODEBUILD_WEBHOOK_TRIGGER: isPush ? `branch/${branch}` : "pr/1",
    ...(event.baseRef !== undefined && { CODEBUILD_WEBHOOK_BASE_REF: event.baseRef }),
    ...(event.previous !== undefined && { CODEBUILD_WEBHOOK_PREV_COMMIT: event.previous }),
  }
}
