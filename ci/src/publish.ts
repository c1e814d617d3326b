import { isEnd, type Listener } from "./announce/announcer.js"
import { changelog, changelogOf, releasesSince, siteOf } from "./changelog.js"
import { hostOf } from "./git/host.js"
import { remoteUrl } from "./git/remote.js"
import { UserError } from "./lib/errors.js"
import { plaintext } from "./lib/secret.js"
import { github } from "./publish/github.js"
import { gitlab } from "./publish/gitlab.js"
import type { PublishingHost } from "./publish/host.js"
import { type Settings, sourceOf } from "./settings.js"
import { type ComputedVersion, openCheckout } from "./version/compute.js"

/**
 * The site that hosts the repository, with the token that may write there.
 *
 * @throws UserError if it is neither GitHub nor GitLab, or if there is no token
 */
export async function publishingHost(settings: Settings): Promise<PublishingHost> {
  const { gitRemote, gitApi, gitUsername } = settings
  sourceOf(settings)
  const address = gitRemote || (await openCheckout(settings)).repository.source.origin
  const url = remoteUrl(address)
  const host = hostOf(url, settings)
  if (!host || host.kind === "bitbucket") {
    throw new UserError(
      `--publish does not know the host of ${url ?? "this repository"}.`,
      "It makes releases on GitHub and GitLab.",
      "If it is one of them under a name of its own, pass its API: --git-api https://HOST/api/v3 for GitHub Enterprise Server, https://HOST/api/v4 for GitLab.",
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
  if (!/^https:|^http:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:|\/|$)/.test(base)) {
    throw new UserError(
      `The token is not sent to ${base}: plain HTTP would expose it on the network.`,
      "",
      "Pass the API's HTTPS address with --git-api.",
    )
  }
  return host.kind === "github" ? github(base, host.path, token) : gitlab(base, host.path, token, gitUsername)
}

/** Shows how a deployment goes on the commit, and among the repository's deployments. */
export function hostListener(host: PublishingHost, { tagPrefix }: Settings): Listener {
  return {
    name: host.name,
    tell: async ({ state, text, version, commit, stage, services, url }) => {
      if (commit === undefined) return
      const environment = stage ?? services[0] ?? "production"
      const tag = `${tagPrefix}v${version}`
      const said = text || `${version} is being released to ${environment}`
      await Promise.all([
        host.status(commit, state, said),
        host.deployment({ commit, tag, environment, url: isEnd(state) ? url : undefined }, state, said),
      ])
    },
  }
}

/**
 * Makes the release of a version with its notes, unless it is there already: whoever edited it keeps what they wrote.
 *
 * @returns what was done, in words
 * @throws UserError if the host refuses: the version is deployed, and only its release is missing
 */
export async function publishRelease(
  host: PublishingHost,
  settings: Settings,
  found: ComputedVersion,
  version: string,
): Promise<string> {
  const tag = `${settings.tagPrefix}v${version}`
  try {
    const there = await host.findRelease(tag)
    if (there !== undefined) return `release   ${there} (was there already)`
    return `release   ${await host.makeRelease(tag, await notesOf(found, settings, version))}`
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw new UserError(
      `${version} is deployed, but its release on ${host.name} could not be made.`,
      error.message,
      "Run the same command again: it makes what is missing.",
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
  const releases = await releasesSince(found, settings, "")
  const release = releases.find(it => it.version === version)
  return release ? changelog(version, release.date, release.commits, siteOf(found, settings)) : ""
}
