import { readCommits } from "./git/head.js"
import { isPrerelease } from "./git/tags.js"
import type { Settings } from "./settings.js"
import { type Judged, judge } from "./version/bump.js"
import type { Survey } from "./version/compute.js"

const sections: [title: string, belongs: (commit: Judged) => boolean][] = [
  ["Breaking changes", commit => commit.effect === "major"],
  ["Features", commit => commit.says.type === "feat"],
  ["Fixes", commit => commit.says.type === "fix"],
  ["Performance", commit => commit.says.type === "perf"],
  ["Reverts", commit => commit.says.type === "revert"],
]

/**
 * The release's notes in Markdown: the commits that count, by what they do, newest first. A commit stands in the first
 * section that it belongs to; what was reverted before it was released stands in none.
 *
 * @param version the version that the notes are of
 * @param date the release's date, ISO 8601; its day is shown
 */
export function changelog(version: string, date: string, commits: Judged[]): string {
  const left = new Set(commits.filter(commit => !commit.cancelled))
  const parts = sections.flatMap(([title, belongs]) => {
    const chosen = [...left].filter(belongs)
    for (const commit of chosen) left.delete(commit)
    return chosen.length === 0 ? [] : [`### ${title}\n\n${chosen.map(line).join("\n")}`]
  })
  const body = parts.length === 0 ? ["No changes that a user sees."] : parts
  return `${[`## ${version} (${date.slice(0, 10)})`, ...body].join("\n\n")}\n`
}

/** The notes of HEAD's version: of what it would release, or where it is released, of what that release brought. */
export async function changelogOf(
  { shell, facts, decision, version }: Survey,
  { path }: Settings,
): Promise<string> {
  if (!facts.atHead.some(tag => tag.version === version))
    return changelog(version, facts.created, decision.commits)
  const before = facts.merged.find(
    tag => !isPrerelease(tag.version) && !facts.atHead.some(it => it.tag === tag.tag),
  )
  const commits = await readCommits(shell.run, before?.tag ?? "", path)
  return changelog(version, facts.created, judge(commits))
}

function line({ sha, says, effect }: Judged): string {
  const scope = says.scope === undefined ? "" : `**${escapeMarkdown(says.scope)}:** `
  const note = effect === "major" && says.breakingNote ? `: ${escapeMarkdown(says.breakingNote)}` : ""
  return `- ${scope}${escapeMarkdown(says.description)}${note} (${sha.slice(0, 7)})`
}

/** A commit's words are text, not Markdown or HTML; long ones are cut. Numbers of pull requests stay links. */
function escapeMarkdown(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 199)}…` : text
  return short.replace(/[\\`*_[\]<>|]/g, "\\$&")
}
