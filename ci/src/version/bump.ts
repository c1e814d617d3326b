import type { Commit } from "../git/log.js"
import { type Message, parseMessage } from "./conventional-commit.js"

export type Effect = "major" | "minor" | "patch" | "none"

/** A commit with what it does to the version and why. */
export type ClassifiedCommit = Commit & { parsed: Message; effect: Effect; cancelled: boolean; why: string }

const byType: Record<string, Effect> = { feat: "minor", fix: "patch", perf: "patch", revert: "patch" }

/**
 * Says what every commit in the range does to the version: a breaking change raises major, `feat` minor, `fix`, `perf` and a
 * revert patch; everything else does nothing. A revert whose target is in the range cancels both; a revert of that revert
 * brings the target back. Commits that touch none of the paths that count only take part in that.
 *
 * @param commits the range, in any order
 * @returns those that count
 */
export function classify(commits: Commit[]): ClassifiedCommit[] {
  const range = commits.map(commit => ({ ...commit, parsed: parseMessage(commit.message) }))
  const cancelled = cancel(range)
  return range
    .filter(({ elsewhere }) => !elsewhere)
    .map(commit => {
      const why = cancelled.get(commit.sha)
      if (why !== undefined) return { ...commit, effect: "none", cancelled: true, why }
      return { ...commit, ...effectOf(commit.parsed), cancelled: false }
    })
}

function effectOf(parsed: Message): { effect: Effect; why: string } {
  if (parsed.breaking) return { effect: "major", why: "breaking change" }
  if (parsed.type === undefined) return { effect: "none", why: "not a Conventional Commit" }
  const effect = byType[parsed.type] ?? "none"
  return { effect, why: effect === "none" ? `${parsed.type} does not change the version` : parsed.type }
}

/** Which commits of the range are cancelled, each with the reason. */
function cancel(range: (Commit & { parsed: Message })[]): Map<string, string> {
  const reasons = new Map<string, string>()
  // One that is elsewhere reverts something there: of a commit that is partly there, it may have left the rest.
  const reverts = range.filter(({ parsed, elsewhere }) => parsed.type === "revert" && !elsewhere)
  if (reverts.length === 0) return reasons
  const shas = range.map(commit => commit.sha).sort()
  const parents = new Map(range.map(commit => [commit.sha, commit.parents]))
  const targetsOf = new Map(
    reverts.map(({ sha, parsed }) => [
      sha,
      distinct(parsed.reverts).map(it => targets(sha, it, shas, parents)),
    ]),
  )
  // How many reverts of each revert are still undecided: a revert is decided after all those that revert it.
  const open = new Map<string, number>()
  for (const target of [...targetsOf.values()].flat(2)) open.set(target, (open.get(target) ?? 0) + 1)
  const decided = reverts.map(({ sha }) => sha).filter(sha => !open.get(sha))
  for (const sha of decided) {
    const found = targetsOf.get(sha) ?? []
    const stands = !reasons.has(sha)
    for (const target of found.flat()) {
      if (stands) reasons.set(target, `reverted by ${sha.slice(0, 7)}`)
      const left = (open.get(target) ?? 1) - 1
      open.set(target, left)
      if (left === 0 && targetsOf.has(target)) decided.push(target)
    }
    if (stands && found.length > 0 && found.every(it => it.length > 0)) {
      reasons.set(sha, "reverts a commit that is not released yet")
    }
  }
  return reasons
}

/** The commits of the range that one reverted id refers to. */
function targets(
  revert: string,
  { sha, since }: Message["reverts"][number],
  shas: string[],
  parents: Map<string, string[]>,
): string[] {
  const full = complete(sha, shas)
  return full === undefined || full === revert ? [] : mergedBy(full, since, parents)
}

/** The one commit of the range whose id begins like this; undefined if there is none or more than one. */
function complete(prefix: string, sorted: string[]): string | undefined {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as string) < prefix) low = middle + 1
    else high = middle
  }
  const found = sorted[low]
  return found?.startsWith(prefix) && !sorted[low + 1]?.startsWith(prefix) ? found : undefined
}

/** The same reverts, each once: a message may name a commit any number of times. */
function distinct(reverts: Message["reverts"]): Message["reverts"] {
  return [...new Map(reverts.map(it => [`${it.sha} ${it.since}`, it])).values()]
}

/**
 * A reverted commit, and if it is a merge, the commits that it brought in: its history without that of its mainline.
 *
 * @param mainline the parent that was kept, which may be outside the range; the first one if left out
 */
function mergedBy(sha: string, mainline: string | undefined, parents: Map<string, string[]>): string[] {
  const all = parents.get(sha) ?? []
  if (all.length < 2) return [sha]
  const parent = all.find(it => mainline !== undefined && it.startsWith(mainline)) ?? all[0] ?? ""
  const kept = reachable([parent], parents, new Set())
  return [...reachable([sha], parents, kept)]
}

function reachable(from: string[], parents: Map<string, string[]>, without: Set<string>): Set<string> {
  const seen = new Set<string>()
  const todo = [...from]
  for (let sha = todo.pop(); sha !== undefined; sha = todo.pop()) {
    const next = parents.get(sha)
    if (next === undefined || seen.has(sha) || without.has(sha)) continue
    seen.add(sha)
    todo.push(...next)
  }
  return seen
}
