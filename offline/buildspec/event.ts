import { BuildError } from "./errors.js"

/** What a push or a pull request tells CodeBuild by the repository's webhook. */
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

/** One condition of a webhook, and a group of them, of which all must hold. */
export interface Filter {
  type: string
  pattern: string
  exclude: boolean
}
export type FilterGroup = Filter[]

/** True where an event starts a build: at least one group's filters all hold. Throws BuildError for a type unknown here. */
export function starts(event: WebhookEvent, groups: FilterGroup[]): boolean {
  return groups.some(group => group.every(filter => holds(event, filter)))
}

function holds(event: WebhookEvent, { type, pattern, exclude }: Filter): boolean {
  if (type === "EVENT") return pattern.split(/,\s*/).includes(event.type)
  const refs: Record<string, string | undefined> = { HEAD_REF: event.headRef, BASE_REF: event.baseRef }
  if (!(type in refs)) throw new BuildError(`the webhook's filter ${type} is not supported here.`)
  const ref = refs[type]
  return ref !== undefined && new RegExp(pattern).test(ref) !== exclude
}

/** The variables that tell a build's commands of the event. */
export function eventVariables(event: WebhookEvent): Record<string, string> {
  const isPush = event.type === "PUSH"
  const branch = event.headRef.replace("refs/heads/", "")
  return {
    CODEBUILD_INITIATOR: "GitHub-Hookshot/offline",
    CODEBUILD_SOURCE_VERSION: isPush ? event.commit : "pr/1",
    CODEBUILD_WEBHOOK_ACTOR_ACCOUNT_ID: "0",
    CODEBUILD_WEBHOOK_EVENT: event.type,
    CODEBUILD_WEBHOOK_HEAD_REF: event.headRef,
    CODEBUILD_WEBHOOK_TRIGGER: isPush ? `branch/${branch}` : "pr/1",
    ...(event.baseRef !== undefined && { CODEBUILD_WEBHOOK_BASE_REF: event.baseRef }),
    ...(event.previous !== undefined && { CODEBUILD_WEBHOOK_PREV_COMMIT: event.previous }),
  }
}
