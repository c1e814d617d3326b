import type { State } from "../announce/announcer.js"
import { type Api, call, missing } from "./api.js"
import { cut, type PublishingHost } from "./host.js"

const statuses: Record<State, string> = {
  started: "running",
  paused: "running",
  completed: "success",
  unchanged: "success",
  "rolled back": "failed",
  superseded: "canceled",
  "timed out": "failed",
  failed: "failed",
}

/**
 * GitLab (REST API v4: "Releases", "Commits", "Deployments").
 *
 * @param base the API's address, such as https://gitlab.com/api/v4
 * @param path the project's path with all its groups
 * @param username `gitlab-ci-token` for a job's own token
 */
export function gitlab(base: string, path: string, token: string, username: string): PublishingHost {
  const isJob = username === "gitlab-ci-token"
  const api: Api = {
    base: `${base}/projects/${encodeURIComponent(path)}`,
    headers: isJob ? { "job-token": token } : { authorization: `Bearer ${token}` },
  }
  return {
    name: "GitLab",
    // GitLab does not accept a commit status with a job's own token.
    status: isJob
      ? undefined
      : async (commit, state, { context, description, signal }) => {
          const body = { state: statuses[state], name: context, description: cut(description) }
          // GitLab answers 400 if the status is already the same.
          await call({ ...api, signal }, "POST", `/statuses/${commit}`, body, isSame)
        },
    deployment: async ({ commit, branchOf, environment, url }, state, { signal }) => {
      const now = { ...api, signal }
      const found = await findDeployment(now, commit, environment)
      const status = statuses[state]
      if (found === undefined) {
        const which = { environment, sha: commit, ref: await branchOf(), tag: false }
        await call(now, "POST", "/deployments", { ...which, status })
      } else {
        await call(now, "PUT", `/deployments/${found}`, { status }, isSame)
      }
      if (url && status === "success") await setUrl(now, environment, url)
    },
    findRelease: async tag => {
      const answer = await call<Release>(
        api,
        "GET",
        `/releases/${encodeURIComponent(tag)}`,
        undefined,
        missing,
      )
      return answer.status === 404 ? undefined : (answer.body._links?.self ?? tag)
    },
    makeRelease: async ({ tag, commit, notes }) => {
      const release = { tag_name: tag, ref: commit, name: tag, description: notes }
      const made = await call<Release>(api, "POST", "/releases", release, status => status === 409)
      return made.status === 409 ? undefined : (made.body._links?.self ?? tag)
    },
  }
}

/** Whether the state is already the same. */
const isSame = (status: number, text: string) => status === 400 && /cannot transition/i.test(text)

type Release = { _links?: { self?: string } }

async function findDeployment(api: Api, commit: string, environment: string): Promise<number | undefined> {
  const query = new URLSearchParams({ environment, order_by: "id", sort: "desc", per_page: "20" })
  const found = await call<{ id: number; sha: string }[]>(api, "GET", `/deployments?${query}`)
  return found.body.find(({ sha }) => sha === commit)?.id
}

/** Where people reach what was deployed, on the environment's page. */
async function setUrl(api: Api, environment: string, url: string): Promise<void> {
  const query = new URLSearchParams({ name: environment })
  const found = await call<{ id: number; external_url?: string }[]>(api, "GET", `/environments?${query}`)
  const [first] = found.body
  if (first && first.external_url !== url)
    await call(api, "PUT", `/environments/${first.id}`, { external_url: url })
}
