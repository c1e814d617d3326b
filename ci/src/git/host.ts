/** A site that hosts git repositories, and the repository's address on it. */
export type Host = {
  kind: "github" | "gitlab" | "bitbucket"
  /** The repository's page, such as `https://github.com/owner/name`. */
  web: string
  /** The repository's path on the host: `owner/name`, on GitLab with all its groups. */
  path: string
}

/**
 * The site behind a remote's address, if its kind is known: from the path of its API if that is set (GitLab's ends in
 * /api/v4), from its name, or from the user name that goes with its tokens.
 *
 * @param url the remote's HTTPS address
 */
export function hostOf(
  url: string | undefined,
  { gitApi = "", gitUsername = "" }: { gitApi?: string; gitUsername?: string } = {},
): Host | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined
  const { origin, hostname, pathname } = new URL(url)
  const path = pathname.replace(/^\/|\/$|\.git\/?$/g, "")
  if (!/^[\w.-]+(\/[\w.-]+)*$/.test(path)) return undefined
  const kind = kindOf(hostname, gitApi, gitUsername)
  return kind && { kind, web: `${origin}/${path}`, path }
}

function kindOf(host: string, api: string, username: string): Host["kind"] | undefined {
  if (/\/api\/v4\/?$/.test(api)) return "gitlab"
  if (api !== "") return "github"
  const named = (["github", "gitlab", "bitbucket"] as const).find(kind =>
    host.split(".").some(part => part === kind),
  )
  if (named) return named
  return /^(oauth2|gitlab-ci-token)$/.test(username) ? "gitlab" : undefined
}

/** The page of a commit. */
export function commitPage({ kind, web }: Host, sha: string): string {
  const page = { github: "commit", gitlab: "-/commit", bitbucket: "commits" }[kind]
  return `${web}/${page}/${sha}`
}

/** The page of the changes between two tags. */
export function comparePage({ kind, web }: Host, since: string, until: string): string {
  const [from, to] = [since, until].map(encodeURIComponent)
  if (kind === "bitbucket") return `${web}/branches/compare/${to}..${from}`
  return `${web}/${kind === "gitlab" ? "-/compare" : "compare"}/${from}...${to}`
}

/** The page of a tag. */
export function tagPage({ kind, web }: Host, tag: string): string {
  const page = { github: "releases/tag", gitlab: "-/tags", bitbucket: "src" }[kind]
  return `${web}/${page}/${encodeURIComponent(tag)}`
}

/** The page of a pull request (on GitLab, of an issue, which is where # numbers point there). */
export function numberPage({ kind, web }: Host, number: string): string {
  const page = { github: "pull", gitlab: "-/issues", bitbucket: "pull-requests" }[kind]
  return `${web}/${page}/${number}`
}
