import semver from "semver"
import type { Commit } from "../git/log.js"
import { isPrerelease, type VersionTag } from "../git/tags.js"
import { UserError } from "../lib/errors.js"
import { type ClassifiedCommit, classify } from "./bump.js"

export type Bump = "none" | "patch" | "minor" | "major" | "initial" | "override"

/** What is known about the history: everything that a decision needs. */
export type History = {
  /** Version tags merged into HEAD, highest first. */
  merged: VersionTag[]
  /** Those of them that are on HEAD itself, highest first. */
  atHead: VersionTag[]
  /** Version tags on commits that come after HEAD, highest first. */
  ahead: VersionTag[]
  /** Every version tag known, here or on the remote. */
  known: VersionTag[]
  /** The commits since the base, the newest first. */
  commits: Commit[]
  /** The paths that commits have to touch to count; "" or left out for all. */
  path?: string
  /** Those of them that HEAD does not have. */
  lacking?: string[]
}

/** The version of a commit and how it came about. */
export type Decision = {
  /** The last released version merged into HEAD; null before the first release. */
  current: string | null
  /** The version that a release of HEAD would make; null if there is nothing to release. */
  next: string | null
  bump: Bump
  reason: string
  /** The tag that `current` comes from. */
  base: string | null
  commits: ClassifiedCommit[]
  /** A released version whose commit comes after HEAD: HEAD is out of date. */
  supersededBy: string | null
}

/** The highest release among version tags; a pre-release is not one. */
export function highestRelease(tags: VersionTag[]): VersionTag | undefined {
  return tags.find(({ version }) => !isPrerelease(version))
}

/** The base: the highest strict `vX.Y.Z` tag merged into HEAD; HEAD's own if it has one. Never a pre-release. */
export function chooseBase({ atHead, merged }: Pick<History, "merged" | "atHead">): VersionTag | undefined {
  return highestRelease(atHead) ?? highestRelease(merged)
}

/**
 * Decides the version of HEAD. Pure: the same history gives the same answer everywhere.
 *
 * @param options.lost true after a claim was lost to a commit outside HEAD's history: then use the next free number
 * @param options.release true for a release: then an outdated HEAD is reported as such, even if its number is taken
 * @throws UserError if `Release-As` is malformed or not greater, or the number belongs to a commit outside HEAD's history
 */
export function decide(history: History, { lost = false, release = false } = {}): Decision {
  const base = chooseBase(history)
  const commits = classify(history.commits)
  const current = base?.version ?? null
  const overtaking = history.ahead.find(
    ({ version }) => !isPrerelease(version) && (current === null || semver.gt(version, current)),
  )
  const unchanged = { current, base: base?.tag ?? null, commits, supersededBy: overtaking?.version ?? null }
  const onHead = highestRelease(history.atHead)
  if (onHead) return { ...unchanged, next: null, bump: "none", reason: `HEAD is ${onHead.tag}` }
  if (overtaking && release) {
    const reason = `${overtaking.version} is on a commit that comes after HEAD`
    return { ...unchanged, next: null, bump: "none", reason }
  }
  const found = pick(history, current, commits)
  if (found.next === null) return { ...unchanged, ...found }
  if (lost) return { ...unchanged, ...found, next: nextFree(found.next, found.bump, history) }
  refuseTaken(found.next, history)
  return { ...unchanged, ...found }
}

function nextFree(version: string, bump: Bump, history: History): string {
  const { known } = history
  // A number that somebody asked for is not replaced by another one.
  if (bump === "override") refuseTaken(version, history)
  const step = bump === "major" || bump === "minor" ? bump : "patch"
  let free = version
  while (known.some(tag => tag.version === free)) free = semver.inc(free, step) as string
  return free
}

function pick(
  history: History,
  current: string | null,
  commits: ClassifiedCommit[],
): Pick<Decision, "next" | "bump" | "reason"> {
  const floor = history.merged.find(({ version }) => isPrerelease(version))?.version
  const asked = commits.find(({ parsed, cancelled }) => parsed.releaseAs !== undefined && !cancelled)
  if (asked) return override(asked, current, floor, history.path)
  if (current === null) {
    const next = above("0.1.0", floor)
    return { next, bump: "initial", reason: "first release: no version tag is merged into HEAD" }
  }
  const effect = (["major", "minor", "patch"] as const).find(wanted => commits.some(c => c.effect === wanted))
  if (effect === undefined) {
    const none = history.lacking?.length ? `HEAD has no ${history.lacking.join(" and no ")}` : "no commits"
    const reason = commits.length === 0 ? none : `none of ${count(commits.length)} changes the version`
    return { next: null, bump: "none", reason: `nothing to release since ${current}: ${reason}` }
  }
  const step = effect === "major" && semver.major(current) === 0 ? "minor" : effect
  const plain = semver.inc(current, step) as string
  const next = above(plain, floor)
  const because = commits.filter(commit => commit.effect === effect)
  const reason = `${effect === step ? step : `${step} (a breaking change below 1.0.0)`}: ${because[0]?.parsed.subject.slice(0, 100)}${
    because.length > 1 ? ` and ${because.length - 1} more` : ""
  }`
  if (next === plain) return { next, bump: step, reason }
  return { next, bump: raised(current, next), reason: `${reason}; raised above the pre-release ${floor}` }
}

function override(
  commit: ClassifiedCommit,
  current: string | null,
  floor?: string,
  path = "",
): Pick<Decision, "next" | "bump" | "reason"> {
  const asked = commit.parsed.releaseAs ?? ""
  const where = `Commit ${commit.sha.slice(0, 7)} asks for "Release-As: ${asked.slice(0, 60)}"`
  const which = path === "" ? "(it can be empty: git commit --allow-empty)" : `that changes a file in ${path}`
  const remedy = `Make a commit ${which} with a greater Release-As footer.`
  if (semver.valid(asked) !== asked || isPrerelease(asked)) {
    throw new UserError(`${where}, which is not a version.`, "It must be X.Y.Z, such as 2.0.0.", remedy)
  }
  const least = [current, floor ?? null].find(version => version !== null && semver.lte(asked, version))
  if (least)
    throw new UserError(`${where}, which is not greater than ${least}.`, "Versions never go back.", remedy)
  return { next: asked, bump: "override", reason: `Release-As in ${commit.sha.slice(0, 7)}` }
}

/** Versions only go up: the result must be greater than every pre-release that is merged (SemVer 2.0.0, item 11). */
function above(version: string, prerelease?: string): string {
  if (prerelease === undefined || semver.gt(version, prerelease)) return version
  const { major, minor, patch } = semver.parse(prerelease) as semver.SemVer
  return `${major}.${minor}.${patch}`
}

function raised(from: string, to: string): Bump {
  const diff = semver.diff(from, to)
  return diff === "major" || diff === "minor" ? diff : "patch"
}

/** How to make a commit that counts, with a message. */
export function commitWith(path: string, ...paragraphs: string[]): string {
  const messages = paragraphs.map(text => `-m "${text}"`).join(" ")
  return path === ""
    ? `git commit --allow-empty ${messages}`
    : `git commit ${messages}   (with a change to a file in ${path}: other commits do not count)`
}

function refuseTaken(next: string, { known, merged, path = "" }: History): void {
  const taken = known.find(({ version }) => version === next)
  if (!taken || merged.some(({ tag }) => tag === taken.tag)) return
  const highest = highestRelease(known)?.version ?? next
  throw new UserError(
    `${next} is taken: the tag ${taken.tag} is on a commit outside HEAD's history.`,
    "Two different commits cannot have the same version.",
    `Merge that commit, or choose the number: ${commitWith(path, "chore: release", `Release-As: ${semver.inc(highest, "patch")}`)}`,
  )
}

function count(commits: number): string {
  return commits === 1 ? "1 commit" : `${commits} commits`
}
