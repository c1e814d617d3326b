import type { State } from "../announce/announcer.js"

/** A site that hosts the repository, on which a release is shown. */
export type PublishingHost = {
  /** Its name, for messages. */
  name: string
  /** Sets the commit's status; undefined if the token cannot. */
  status?: (commit: string, state: State, about: About) => Promise<void>
  /** Sets the state of the commit's deployment to an environment; makes the deployment if there is none. */
  deployment: (to: Deploying, state: State, about: About) => Promise<void>
  /** The page of a tag's release; undefined if there is none. */
  findRelease: (tag: string) => Promise<string | undefined>
  /** Makes the release of a tag, and gives its page; undefined if another run has just made it. */
  makeRelease: (release: NewRelease) => Promise<string | undefined>
}

/** A deployment as a host knows it. */
export type Deploying = {
  commit: string
  /** Asks for the branch that it is on. */
  branchOf: () => Promise<string>
  environment: string
  url?: string
}

/** A release to be made. */
export type NewRelease = {
  tag: string
  commit: string
  notes: string /** Whether it is one app's of several. */
  isOneOfSeveral: boolean
}

/** The text for a state, and the name under which it is shown. */
export type About = { context: string; description: string; signal?: AbortSignal }

/** Text, cut to the length that hosts accept. */
export function cut(text: string): string {
  const [line = ""] = text.split("\n")
  return line.length > 140 ? `${line.slice(0, 139)}…` : line
}
