import { rolledBackError } from "./ecs/rolled-back.js"
import { isNewer } from "./lib/semver.js"
import { type Preflight, serviceNames } from "./preflight.js"
import { type ComputedVersion, nothingToRelease, superseded } from "./version/compute.js"

/** What a release does with a commit. */
type Intention = "superseded" | "rolled back" | "nothing" | "finish" | "release"

/** Services that are released together count as one: what stops one stops all. */
function mostUrgent(intentions: Intention[]): Intention {
  const order = ["superseded", "rolled back", "release", "finish"] as const
  return order.find(it => intentions.includes(it)) ?? "nothing"
}

/**
 * Decides what a release does with a commit, depending on what one service runs. If a version was claimed but never reached the
 * service, the release finishes it, whatever commits came after it. Pure.
 */
function decideFor(found: ComputedVersion, live: Preflight): Intention {
  const { version, decision } = found
  if (decision.supersededBy !== null || isNewer(live.released, version)) return "superseded"
  if (live.rolledBack) return "rolled back"
  if (!nothingToRelease(found)) return "release"
  return live.version === version && live.completed ? "nothing" : "finish"
}

/** Whether the services run the version, and it completed. */
export function isLive({ version }: ComputedVersion, lives: Preflight[]): boolean {
  return version !== "" && lives.every(live => live.version === version && live.completed)
}

/** The text of a release that deploys nothing. */
export function deploysNothing(found: ComputedVersion, lives: Preflight[]): string | undefined {
  const { version, decision } = found
  const each = lives.map(live => decideFor(found, live))
  const intention = mostUrgent(each)
  const live = lives[each.indexOf(intention)] as Preflight
  switch (intention) {
    case "superseded":
      return superseded(found, decision.supersededBy ?? live.released ?? "")
    case "nothing":
      return `${decision.reason}; ${serviceNames(lives)} ${lives.length > 1 ? "run" : "runs"} ${version}; nothing is deployed\n`
    case "rolled back":
      if (!nothingToRelease(found)) throw rolledBackError(version, live.rolledBack)
      return `${decision.reason}; ${live.rolledBack?.why}, and ${live.name} runs ${live.version ?? "no version"}\n`
    default:
      return undefined
  }
}
