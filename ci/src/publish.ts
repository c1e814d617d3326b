import { type Announcement, isEnd, type Listener } from "./announce/announcer.js"
import { changelog, changelogOf, releasesSince, siteOf } from "./changelog.js"
import { remoteAddress } from "./git/checkout.js"
import { hostOf } from "./git/host.js"
import { remoteUrl } from "./git/remote.js"
import { remoteAndBranch } from "./git/remote-branch.js"
import { UserError } from "./lib/errors.js"
import { plaintext } from "./lib/secret.js"
import { isSafe } from "./lib/url.js"
import { github } from "./publish/github.js"
import { gitlab } from "./publish/gitlab.js"
import type { PublishingHost } from "./publish/host.js"
import type { Settings } from "./settings.js"
import type { ComputedVersion } from "./version/compute.js"
import { commitToDeploy } from "./version/compute.js"

/**
 * The site that hosts the repository, with the token that may write there.
 *
 * @throws UserError if it is neither GitHub nor GitLab, or if there is no token
 */
export async function publishingHost(
  settings: Settings,
  repository: ComputedVersion["repository"],
): Promise<PublishingHost> {
  const { gitApi, gitUsername } = settings
  const url = remoteUrl(remoteAddress(repository, settings))
  const host = hostOf(url, settings)
  if (!host || host.kind === "bitbucket") {
    throw new UserError(
      `--publish does not know the host of ${url ?? "this repository"}.`,
      "It makes releases on GitHub and GitLab.",
      "If it is one of these under another name, pass its API: --git-api https://HOST/api/v3 for GitHub Enterprise Server, https://HOST/api/v4 for GitLab.",
    )
  }
  const token = await plaintext(settings.gitToken)
  if (token === undefined) {
    throw new UserError(
      "--publish needs a token.",
      "",
      "Pass one that may write releases, statuses and deployments: --git-token env://GITHUB_TOKEN",
    )
  }
  const { origin, hostname } = new URL(url as string)
  const own = {
    github: hostname === "github.com" ? "https://api.github.com" : `${origin}/api/v3`,
    gitlab: `${origin}/api/v4`,
  }
  const base = (gitApi || own[host.kind]).replace(/\/$/, "")
  if (!isSafe(new URL(base))) {
    throw new UserError(
      `The token is not sent to ${base}: plain HTTP would expose it on the network.`,
      "",
      "Pass the API's HTTPS address with --git-api.",
    )
  }
  return host.kind === "github" ? github(base, host.path, token) : gitlab(base, host.path, token, gitUsername)
}

/** Shows the state of a deployment as the commit's status, and in the repository's list of deployments. */
export function hostListener(host: PublishingHost, settings: Settings, found: ComputedVersion): Listener {
  let branch: Promise<string> | undefined
  const branchOf = () => {
    branch ??= remoteAndBranch(found.repository, settings, found.remote).then(({ ref }) =>
      ref.replace("refs/heads/", ""),
    )
    // It may work the next time.
    branch.catch(() => (branch = undefined))
    return branch
  }
  return {
    name: host.name,
    tell: async (announcement, signal) => {
      const { state, text, version, commit, url } = announcement
      if (commit === undefined) return
      const environment = environmentOf(announcement)
      const description = text || `${version} is being released to ${environment}`
      const about = { context: contextOf(announcement), description, signal }
      const to = { commit, branchOf, environment, url: isEnd(state) ? url : undefined }
      const told = await Promise.allSettled([
        host.status?.(commit, state, about),
        host.deployment(to, state, about),
      ])
      const failed = told.find(it => it.status === "rejected")
      if (failed) throw failed.reason
    },
  }
}

/** The name under which a state is shown: each app and each stage has its own, so that none hides another. */
function contextOf({ app, stage }: Announcement): string {
  return ["ecs-release", app, stage].filter(Boolean).join("/")
}

function environmentOf({ app, stage, services }: Announcement): string {
  return [app, stage].filter(Boolean).join("/") || (services[0] ?? "production")
}

/**
 * Creates the release of a version that runs, with its notes. An existing release is left alone, so that nobody's edits are lost.
 *
 * @returns what was done, in words, and whether it was made now
 * @throws UserError if the host refuses: the version is deployed, only its release is missing
 */
export async function publishRelease(
  host: PublishingHost,
  settings: Settings,
  found: ComputedVersion,
  version: string,
): Promise<{ line: string; isNew: boolean }> {
  const { tagPrefix } = settings
  const tag = `${tagPrefix}v${version}`
  try {
    const there = await host.findRelease(tag)
    if (there !== undefined) return { line: `release   ${there} (was there already)`, isNew: false }
    const notes = await notesOf(found, settings, version)
    const commit = commitToDeploy(found)
    const isOneOfSeveral = tagPrefix !== ""
    const made = await host.makeRelease({ tag, commit, notes, isOneOfSeveral })
    return { line: `release   ${made ?? (await host.findRelease(tag)) ?? tag}`, isNew: made !== undefined }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw new UserError(
      `${version} is deployed, but its release on ${host.name} could not be created.`,
      error.message,
      "Run the same command again: it creates what is missing.",
    )
  }
}

/** The notes of a version of HEAD's history, without the heading, which is the release's title. */
async function notesOf(found: ComputedVersion, settings: Settings, version: string): Promise<string> {
  const isHeads = found.version === version && found.head.merged.every(tag => tag.version !== version)
  const text = isHeads ? await changelogOf(found, settings) : await notesOfReleased(found, settings, version)
  return text.replace(/^## .*\n+/, "")
}

async function notesOfReleased(found: ComputedVersion, settings: Settings, version: string): Promise<string> {
  const release = (await releasesSince(found, settings, "")).find(it => it.version === version)
  if (release) return changelog(version, release.date, release.commits, siteOf(found, settings))
  throw new UserError(`HEAD's history does not show what ${version} changed.`)
}
