import semver from "semver"
import type { PastDeployment } from "../ecs/past-deployment.js"
import { isNewer } from "../lib/semver.js"
import { day } from "../lib/time.js"

/** A window of time. */
export type Window = { since: Date; until: Date }

/**
 * The four DORA metrics of software delivery (dora.dev, "DORA's software delivery performance metrics"), from ECS's record and git.
 * Each is null if there is nothing to count.
 */
export type Metrics = {
  /** `CLUSTER/SERVICE`. */
  service: string
  since: Date
  until: Date
  days: number
  /** Deployments of a new version that completed. */
  deploymentFrequency: { deployments: number; perDay: number }
  /** Median time from a commit to the end of the deployment that brought it. */
  leadTime: { seconds: number | null; commits: number }
  /** Deployments of a new version that ECS rolled back, that failed, or that somebody went back from. */
  changeFailureRate: { rate: number | null; failed: number; of: number }
  /** Median time until the service ran a good version again. */
  timeToRestore: { seconds: number | null; restored: number; open: number }
}

/** How each number is counted, for a person. */
export const counted = {
  deploymentFrequency: "completed deployments of a version that had not run before, per day",
  leadTime: "median over the commits in those deployments, from the commit's time to the deployment's end",
  changeFailureRate:
    "the share of finished deployments of a new version that ECS rolled back, that failed, or that somebody rolled back later",
  timeToRestore:
    "median; if ECS rolled back: from the deployment's start to the end of the rollback; if it failed: from its start to the next completed deployment; if somebody rolled back later: from the new version's completion to the older one's",
}

/** A deployment's part in the numbers. */
type Counted = PastDeployment & { ended: Date }

/**
 * Computes the metrics. Deployments that were stopped or replaced before they ended are not counted, nor are restarts and other
 * deployments of the running version, nor anything without a version. Pure.
 *
 * @param deployments oldest first; one from before the window says what ran at its start
 * @param times for each deployed commit, the times of the commits that came with it; undefined for none
 */
export function measure(
  service: string,
  deployments: PastDeployment[],
  { since, until }: Window,
  times?: ReadonlyMap<string, Date[]>,
): Metrics {
  const ended = deployments.filter((it): it is Counted => it.ended !== undefined)
  let running: Counted | undefined
  /** Versions that completed before. */
  const ran = new Set<string>()
  let broken: { since: Date } | undefined
  const changes: Counted[] = []
  const failed = new Set<Counted>()
  const restores: number[] = []
  const leads: number[] = []
  for (const it of ended.sort((a, b) => a.ended.getTime() - b.ended.getTime())) {
    const counts = it.started >= since && it.started <= until
    const isNew = semver.valid(it.version) !== null && !ran.has(it.version)
    const goesBack = isNewer(running?.version, it.version)
    if (it.outcome === "completed") {
      if (broken) restores.push(seconds(broken.since, it.ended))
      broken = undefined
      if (goesBack && running && changes.includes(running)) {
        failed.add(running)
        restores.push(seconds(running.ended, it.ended))
      }
      if (counts && isNew && !goesBack) {
        changes.push(it)
        for (const time of times?.get(it.commit ?? "") ?? []) leads.push(seconds(time, it.ended))
      }
      ran.add(it.version)
      running = it
    } else if ((it.outcome === "rolled back" || it.outcome === "failed") && counts && isNew && !goesBack) {
      changes.push(it)
      failed.add(it)
      if (it.outcome === "rolled back") restores.push(seconds(it.started, it.ended))
      else broken ??= { since: it.started }
    }
  }
  const days = (until.getTime() - since.getTime()) / day
  const completed = changes.filter(({ outcome }) => outcome === "completed").length
  return {
    ...{ service, since, until, days: Math.round(days * 100) / 100 },
    deploymentFrequency: { deployments: completed, perDay: days > 0 ? completed / days : 0 },
    leadTime: { seconds: median(leads), commits: leads.length },
    changeFailureRate: {
      rate: changes.length === 0 ? null : failed.size / changes.length,
      ...{ failed: failed.size, of: changes.length },
    },
    timeToRestore: { seconds: median(restores), restored: restores.length, open: broken ? 1 : 0 },
  }
}

function seconds(from: Date, to: Date): number {
  return Math.max(0, (to.getTime() - from.getTime()) / 1000)
}

function median(values: number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  return low === undefined || high === undefined ? null : (low + high) / 2
}
