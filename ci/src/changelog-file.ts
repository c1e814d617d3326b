import { changeLine, grouped, type Kind, type Release } from "./changelog.js"
import { comparePage, type Host, tagPage } from "./git/host.js"
import { isNewer } from "./lib/semver.js"

/** The kinds of changes of Keep a Changelog 1.1.0, in its order, as far as they follow from a commit's type. */
const kinds: Kind[] = [
  ["Added", commit => commit.parsed.type === "feat" && commit.effect !== "major"],
  ["Changed", commit => commit.effect === "major" || commit.parsed.type === "perf"],
  ["Removed", commit => commit.parsed.type === "revert"],
  ["Fixed", commit => commit.parsed.type === "fix"],
]

const opening = `# Changelog

All notable changes to this project are in this file. Its format is that of
[Keep a Changelog](https://keepachangelog.com/en/1.1.0/), and the project adheres to
[Semantic Versioning](https://semver.org/spec/v2.0.0.html).
`

/** Where links to versions go, and how their tags are named. */
export type Links = { host?: Host; tagPrefix: string }

/**
 * Adds versions to a changelog in the form of Keep a Changelog 1.1.0: those newer than all that it has, above the others and below
 * the section Unreleased. Everything in the file stays as it is, even if one of the given versions is there already. Pure.
 *
 * @param text the file; "" if there is none yet
 * @param releases the newest first
 */
export function updateChangelog(text: string, releases: Release[], links: Links): string {
  const lines = (text.trim() === "" ? opening : text).replaceAll("\r\n", "\n").trimEnd().split("\n")
  const there = headings(lines)
  const missing = releases.filter(
    ({ version }) => !there.some(it => it.version === version || isNewer(it.version, version)),
  )
  if (missing.length === 0) return text
  const isDefinition = (line: string) => /^\[[^\]]+\]:\s/.test(line)
  // The links at the end of the file.
  let end = lines.length
  while (end > 0 && (isDefinition(lines[end - 1] ?? "") || lines[end - 1] === "")) end--
  const firstLink = lines.findIndex((line, at) => at >= end && /^\[v?\d/.test(line))
  const linksAt = firstLink < 0 ? lines.length : firstLink
  const at = there[0]?.at ?? end
  const sections = missing.map(release => sectionOf(release, links)).join("\n")
  const before = lines.slice(0, at).join("\n").trimEnd()
  const newest = missing[0]?.version ?? ""
  const after = lines
    .slice(at, linksAt)
    .map(line => (isDefinition(line) ? unreleasedSince(line, newest, links) : line))
    .join("\n")
    .trim()
  const below = lines.slice(linksAt).join("\n").trim()
  const definitions = missing.flatMap(release => linkOf(release, links))
  const tail = [...definitions, ...(below === "" ? [] : [below])].join("\n")
  // Link definitions follow each other without an empty line.
  const joint = isDefinition(lines[linksAt - 1] ?? "") ? "\n" : "\n\n"
  const body = [before, sections.trimEnd(), ...(after === "" ? [] : [after])].join("\n\n")
  const whole = `${tail === "" ? body : `${body}${joint}${tail}`}\n`
  return text.includes("\r\n") ? whole.replaceAll("\n", "\r\n") : whole
}

/** The versions' headings of a file, without those in fenced code. */
function headings(lines: string[]): { version: string; at: number }[] {
  let fence: string | undefined
  return lines.flatMap((line, at) => {
    const mark = /^\s{0,3}(`{3,}|~{3,})/.exec(line)?.[1]
    if (mark !== undefined && (fence === undefined || mark.startsWith(fence))) {
      fence = fence === undefined ? mark : undefined
    }
    const version = /^#{1,3}\s+\[?v?(\d+\.\d+\.\d+)\]?(?![\w.+-])/.exec(line)?.[1]
    return version === undefined || fence !== undefined ? [] : [{ version, at }]
  })
}

/** The link of the section Unreleased, which starts at the newest version. */
function unreleasedSince(line: string, newest: string, { host, tagPrefix }: Links): string {
  const isOurs = host !== undefined && /^\[unreleased\]:/i.test(line) && line.includes("...HEAD")
  return isOurs ? line.replace(/:\s.*$/, `: ${comparePage(host, `${tagPrefix}v${newest}`, "HEAD")}`) : line
}

/** A version's section, its changes by kind. */
function sectionOf({ version, date, commits }: Release, { host }: Links): string {
  const parts = grouped(commits, kinds).map(([title, chosen]) => {
    const lines = chosen.map(commit => {
      const line = changeLine(commit, host)
      return commit.effect === "major" ? line.replace(/^- /, "- **Breaking:** ") : line
    })
    return `### ${title}\n\n${lines.join("\n")}\n`
  })
  const name = host ? `[${version}]` : version
  const body = parts.length === 0 ? ["No user-visible changes.\n"] : parts
  return [`## ${name} - ${date.slice(0, 10)}\n`, ...body].join("\n")
}

/** Where a version's heading leads: what changed since the version before it, or the first one's tag. */
function linkOf({ version, before }: Release, { host, tagPrefix }: Links): string[] {
  if (!host) return []
  const tag = (of: string) => `${tagPrefix}v${of}`
  const page =
    before === undefined ? tagPage(host, tag(version)) : comparePage(host, tag(before), tag(version))
  return [`[${version}]: ${page}`]
}
