import type { State } from "../announce/announcer.js"

/** What a release shows on the site that hosts the repository. */
export type PublishingHost = {
  /** Who it is, for messages. */
  name: string
  /** Sets the commit's status. */
  status: (commit: string, state: State, description: string) => Promise<void>
  /** Sets the state of the commit's deployment to an environment; makes the deployment if there is none. */
  deployment: (to: Deploying, state: State, description: string) => Promise<void>
  /** The page of a tag's release; undefined if there is none. */
  findRelease: (tag: string) => Promise<string | undefined>
  /** Makes the release of a tag, and gives its page. */
  makeRelease: (tag: string, notes: string) => Promise<string>
}

/** A deployment as a host knows it. */
export type Deploying = { commit: string; tag: string; environment: string; url?: string }

/** The name under which a commit's status is shown. */
export const context = "ecs-release"

/** Text as long as hosts take it. */
export function cut(text: string): string {
  const [line = ""] = text.split("\n")
  return line.length > 140 ? `${line.slice(0, 139)}…` : line
}
