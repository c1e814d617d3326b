import { commitsBetween, readCommits } from "./git/log.js"
import { isPrerelease } from "./git/tags.js"
import type { Settings } from "./settings.js"
import { type ClassifiedCommit, classify } from "./version/bump.js"
import { type ComputedVersion, openCheckout } from "./version/compute.js"

const sections: [title: string, belongs: (commit: ClassifiedCommit) => boolean][] = [
  ["Breaking changes", commit => commit.effect === "major"],
  ["Features", commit => commit.parsed.type === "feat"],
  ["Fixes", commit => commit.parsed.type === "fix"],
  ["Performance", commit => commit.parsed.type === "perf"],
  ["Reverts", commit => commit.parsed.type === "revert"],
]

/**
 * The release's notes in Markdown: the commits that count, by what they do, newest first. A commit is listed in the first
 * section that it belongs to; what was reverted before it was released is listed in none.
 *
 * @param version the version that the notes are for
 * @param date the release's date, ISO 8601; its day is shown
 */
export function changelog(version: string, date: string, commits: ClassifiedCommit[]): string {
  const left = new Set(commits.filter(commit => !commit.cancelled))
  const parts = sections.flatMap(([title, belongs]) => {
    const chosen = [...left].filter(belongs)
    for (const commit of chosen) left.delete(commit)
    return chosen.length === 0 ? [] : [`### ${title}\n\n${chosen.map(line).join("\n")}`]
  })
  const body = parts.length === 0 ? ["No user-visible changes."] : parts
  return `${[`## ${version} (${date.slice(0, 10)})`, ...body].join("\n\n")}\n`
}

/** The notes for HEAD's version: what it would release, or if it is already released, what that release changed. */
export async function changelogOf(
  { repository, head, decision, version }: ComputedVersion,
  { path }: Settings,
): Promise<string> {
  if (!head.atHead.some(tag => tag.version === version))
    return changelog(version, head.date, decision.commits)
  const before = head.merged.find(
    tag => !isPrerelease(tag.version) && !head.atHead.some(it => it.tag === tag.tag),
  )
  const commits = await readCommits(repository.history.run, before?.tag ?? "", path)
  return changelog(version, head.date, classify(commits))
}

/**
 * What changed between two commits of the history, in Markdown.
 *
 * @param since the earlier commit; the whole history if left out
 * @returns "" if the repository does not have them, or not one after the other: then nothing is known
 */
export async function changelogBetween(
  settings: Settings,
  since: string | undefined,
  { version, commit }: { version: string; commit?: string },
): Promise<string> {
  if (commit === undefined || commit === since) return ""
  const { repository } = await openCheckout(settings)
  const found = await commitsBetween(repository.history.run, since ?? "", commit, settings.path)
  return found === undefined ? "" : changelog(version, found.date, classify(found.commits))
}

function line({ sha, parsed, effect }: ClassifiedCommit): string {
  const scope = parsed.scope === undefined ? "" : `**${escapeMarkdown(parsed.scope)}:** `
  const note = effect === "major" && parsed.breakingNote ? `: ${escapeMarkdown(parsed.breakingNote)}` : ""
  return `- ${scope}${escapeMarkdown(parsed.description)}${note} (${sha.slice(0, 7)})`
}

/** A commit's words are text, not Markdown or HTML; long ones are cut. Pull request numbers stay links. */
function escapeMarkdown(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 199)}…` : text
  return short.replace(/[\\`*_[\]<>|]/g, "\\$&")
}
