import type { State } from "../announce/announcer.js"
import { type Api, call, missing } from "./api.js"
import { cut, type PublishingHost } from "./host.js"

const statuses: Record<State, string> = {
  started: "pending",
  paused: "pending",
  completed: "success",
  unchanged: "success",
  "rolled back": "failure",
  superseded: "error",
  "timed out": "error",
  failed: "failure",
}

const deploymentStates: Record<State, string> = {
  ...statuses,
  started: "in_progress",
  paused: "queued",
  superseded: "inactive",
}

/**
 * GitHub (REST API version 2022-11-28: "Releases", "Commit statuses", "Deployments"), github.com's or an Enterprise Server's.
 *
 * @param base the API's address, such as https://api.github.com
 * @param path `OWNER/NAME`
 */
export function github(base: string, path: string, token: string): PublishingHost {
  const api: Api = {
    base: `${base}/repos/${path}`,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token}`,
      "x-github-api-version": "2022-11-28",
    },
  }
  return {
    name: "GitHub",
    status: async (commit, state, { context, description, signal }) => {
      await call({ ...api, signal }, "POST", `/statuses/${commit}`, {
        ...{ state: statuses[state], context, description: cut(description) },
      })
    },
    deployment: async ({ commit, environment, url }, state, { description, signal }) => {
      const now = { ...api, signal }
      const id =
        (await findDeployment(now, commit, environment)) ?? (await makeDeployment(now, commit, environment))
      await call(now, "POST", `/deployments/${id}/statuses`, {
        ...{ state: deploymentStates[state], description: cut(description), environment },
        ...(url && { environment_url: url }),
      })
    },
    findRelease: async tag => {
      const path = `/releases/tags/${encodeURIComponent(tag)}`
      const found = await call<{ html_url: string }>(api, "GET", path, undefined, missing)
      return found.status === 404 ? undefined : found.body.html_url
    },
    makeRelease: async ({ tag, commit, notes, isOneOfSeveral }) => {
      const release = { tag_name: tag, target_commitish: commit, name: tag, body: cutNotes(notes) }
      // One app's release is not the repository's latest.
      const latest = isOneOfSeveral ? { make_latest: "false" } : {}
      const made = await call<{ html_url: string }>(
        api,
        "POST",
        "/releases",
        { ...release, ...latest },
        isThere,
      )
      return made.status === 422 ? undefined : made.body.html_url
    },
  }
}

/** The most characters that GitHub takes as a release's notes, less what is said about the rest. */
const most = 124_000

/** Notes that are too long, such as those of the first release of an old repository, end after a whole line. */
export function cutNotes(notes: string): string {
  if (notes.length <= most) return notes
  const kept = notes.slice(0, notes.lastIndexOf("\n", most))
  const left = notes
    .slice(kept.length)
    .split("\n")
    .filter(line => line.startsWith("- ")).length
  return `${kept}\n\n… and ${left} more\n`
}

/** Whether another run has just created it. */
const isThere = (status: number, text: string) => status === 422 && text.includes('"already_exists"')

/** The name of this pipeline's deployments, to tell them apart from those of GitHub Actions. */
const task = "deploy:ecs-release"

async function findDeployment(api: Api, commit: string, environment: string): Promise<number | undefined> {
  const query = new URLSearchParams({ sha: commit, task, environment, per_page: "1" })
  const found = await call<{ id: number }[]>(api, "GET", `/deployments?${query}`)
  return found.body[0]?.id
}

async function makeDeployment(api: Api, commit: string, environment: string): Promise<number> {
  // Do not merge anything into the commit, and ignore other checks: it was tested here.
  const how = { task, auto_merge: false, required_contexts: [], description: "ecs-release" }
  const made = await call<{ id: number }>(api, "POST", "/deployments", { ref: commit, environment, ...how })
  return made.body.id
}
