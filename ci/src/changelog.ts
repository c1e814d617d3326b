import { type Checkout, openCheckout, remoteAddress } from "./git/checkout.js"
import { commitPage, type Host, hostOf, numberPage } from "./git/host.js"
import { commitsBetween, readCommits, readParts } from "./git/log.js"
import { remoteUrl } from "./git/remote.js"
import { isPrerelease } from "./git/tags.js"
import { UserError } from "./lib/errors.js"
import { isNewer, withoutV } from "./lib/semver.js"
import type { Settings } from "./settings.js"
import { type ClassifiedCommit, classify } from "./version/bump.js"
import type { ComputedVersion } from "./version/compute.js"

/** A kind of changes, and which commits are of it. */
export type Kind = [title: string, belongs: (commit: ClassifiedCommit) => boolean]

const sections: Kind[] = [
  ["Breaking changes", commit => commit.effect === "major"],
  ["Features", commit => commit.parsed.type === "feat"],
  ["Fixes", commit => commit.parsed.type === "fix"],
  ["Performance", commit => commit.parsed.type === "perf"],
  ["Reverts", commit => commit.parsed.type === "revert"],
]

/** A version with the commits that it brought, and the version tag before it. */
export type Release = {
  version: string
  /** ISO 8601. */
  date: string
  commits: ClassifiedCommit[]
  /** The version before it; undefined for the first one. */
  before?: string
}

/**
 * The release's notes in Markdown: the commits that count, by what they do, newest first. A commit is listed in the first
 * section that it belongs to; what was reverted before it was released is listed in none.
 *
 * @param date the release's date, ISO 8601; its day is shown
 * @param host the site for links to commits and pull requests; without it there are no links
 */
export function changelog(version: string, date: string, commits: ClassifiedCommit[], host?: Host): string {
  const parts = grouped(commits, sections).map(
    ([title, chosen]) => `### ${title}\n\n${chosen.map(commit => changeLine(commit, host)).join("\n")}`,
  )
  const body = parts.length === 0 ? ["No user-visible changes."] : parts
  return `${[`## ${version} (${date.slice(0, 10)})`, ...body].join("\n\n")}\n`
}

/** Commits by kind, without empty kinds: each in the first that it belongs to, and none that was reverted before it was released. */
export function grouped(
  commits: ClassifiedCommit[],
  kinds: Kind[],
): [title: string, commits: ClassifiedCommit[]][] {
  const left = new Set(commits.filter(commit => !commit.cancelled))
  return kinds.flatMap(([title, belongs]): [string, ClassifiedCommit[]][] => {
    const chosen = [...left].filter(belongs)
    for (const commit of chosen) left.delete(commit)
    return chosen.length === 0 ? [] : [[title, chosen]]
  })
}

/** The site that hosts the repository, if its links are known. */
export function siteOf({ repository }: Checkout, settings: Settings): Host | undefined {
  return hostOf(remoteUrl(remoteAddress(repository, settings)), settings)
}

/** The notes for HEAD's version: what a release would bring, or if it is released already, what that release changed. */
export async function changelogOf(found: ComputedVersion, settings: Settings): Promise<string> {
  const { repository, head, decision, version } = found
  const host = siteOf(found, settings)
  if (!head.atHead.some(tag => tag.version === version))
    return changelog(version, head.date, decision.commits, host)
  const before = head.merged.find(
    tag => !isPrerelease(tag.version) && !head.atHead.some(it => it.tag === tag.tag),
  )
  const commits = await readCommits(repository.history.run, before?.tag ?? "", settings.path)
  return changelog(version, head.date, classify(commits), host)
}

/**
 * The versions in HEAD's history after a given one, newest first, with the changes in each. The first one is the version that HEAD would
 * release.
 *
 * @param since a version, with or without its v; "" for all
 * @throws UserError if there is no such version in HEAD's history
 */
export async function releasesSince(
  { repository, head, decision, version }: ComputedVersion,
  { path, tagPrefix }: Settings,
  since: string,
): Promise<Release[]> {
  const released = head.merged.filter(tag => !isPrerelease(tag.version))
  const from = withoutV(since.startsWith(tagPrefix) ? since.slice(tagPrefix.length) : since)
  if (from !== "" && !released.some(it => it.version === from)) throw notReleased(since, released)
  const wanted = released.filter(it => from === "" || isNewer(it.version, from)).reverse()
  const start = released.find(it => it.version === from)
  const refs = wanted.map(({ tag }) => `refs/tags/${tag}`)
  const parts =
    refs.length === 0
      ? []
      : await readParts(repository.history.run, refs, start ? `refs/tags/${start.tag}` : "", path)
  const found = parts.map(({ date, commits }, at): Release => {
    const before = at === 0 ? start?.version : wanted[at - 1]?.version
    return { version: wanted[at]?.version ?? "", date, commits: classify(commits), before }
  })
  const isPending = version !== "" && !released.some(it => it.version === version)
  if (isPending) {
    const before = wanted.at(-1)?.version ?? start?.version
    found.push({ version, date: head.date, commits: decision.commits, before })
  }
  return found.reverse()
}

function notReleased(since: string, released: { version: string }[]): UserError {
  const known = released.slice(0, 8).map(({ version }) => version)
  return new UserError(
    `HEAD's history has no version ${JSON.stringify(since.slice(0, 100))}.`,
    known.length === 0 ? "It has no version tags." : `The latest ones are: ${known.join(", ")}.`,
    "Pass one of its versions with --since; `git fetch --tags` fetches those of the remote.",
  )
}

/**
 * What changed between two commits of the history, in Markdown.
 *
 * @param since the earlier commit; the whole history if left out
 * @returns "" if the repository does not have both commits, or if one does not come after the other
 */
export async function changelogBetween(
  settings: Settings,
  since: string | undefined,
  { version, commit }: { version: string; commit?: string },
): Promise<string> {
  if (commit === undefined || commit === since) return ""
  const checkout = await openCheckout(settings)
  const found = await commitsBetween(checkout.repository.history.run, since ?? "", commit, settings.path)
  if (found === undefined) return ""
  return changelog(version, found.date, classify(found.commits), siteOf(checkout, settings))
}

/** A commit as a list item: what it does, and its ID. */
export function changeLine({ sha, parsed, effect }: ClassifiedCommit, host?: Host): string {
  const scope = parsed.scope === undefined ? "" : `**${escapeMarkdown(parsed.scope)}:** `
  const note = effect === "major" && parsed.breakingNote ? `: ${escapeMarkdown(parsed.breakingNote)}` : ""
  const said = `${escapeMarkdown(parsed.description)}${note}`
  // The text of a list item must not start a heading, another list, or a code fence.
  const plain = linked(said, host)
  const what = scope === "" ? plain.replace(/^([#+~-])/, "\\$1").replace(/^(\d+)([.)])/, "$1\\$2") : plain
  const id = sha.slice(0, 7)
  return `- ${scope}${what} (${host ? `[${id}](${commitPage(host, sha)})` : id})`
}

/** Numbers of pull requests, `#12`, as links. GitHub makes links of them in a release's notes, but not in a file. */
function linked(text: string, host: Host | undefined): string {
  return host
    ? text.replace(/(?<![\w&/])#(\d{1,5})\b/g, (all, number) => `[${all}](${numberPage(host, number)})`)
    : text
}

/** A commit's words as plain text, not Markdown or HTML; an @ notifies nobody (an invisible word joiner follows it); long words are cut. */
function escapeMarkdown(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 199)}…` : text
  return short.replace(/[\\`*_[\]<>|]/g, "\\$&").replace(/@(?=\w)/g, "@\u2060")
}
