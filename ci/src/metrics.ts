import semver from "semver"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { type PastDeployment, pastDeployments } from "./ecs/past-deployment.js"
import { errorContext, open } from "./ecs/service.js"
import { recordDays } from "./ecs/service-deployment.js"
import { readTimes } from "./git/log.js"
import { UserError } from "./lib/errors.js"
import { table } from "./lib/table.js"
import { duration, parseTime } from "./lib/time.js"
import type { Settings, Where } from "./settings.js"
import { openCheckout } from "./version/compute.js"

/** A time that is looked at. */
export type Window = { since: Date; until: Date }

/**
 * DORA's four metrics of software delivery (dora.dev, "DORA's software delivery performance metrics"), as ECS's record and git have them.
 * Each is null if there is nothing to count.
 */
export type Metrics = {
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
  deploymentFrequency: "deployments that completed and brought a version that did not run before, per day",
  leadTime:
    "median over the commits that those deployments brought, from the commit's time to the deployment's end",
  changeFailureRate:
    "of the deployments of a new version that ended, those that ECS rolled back, that failed, or that were followed by going back to an older version",
  timeToRestore:
    "median; rolled back by ECS: from the deployment's start to the rollback's end; failed: until the next deployment that completed; gone back from: from its completion to that of the older version",
}

/** A deployment's part in the numbers. */
type Counted = PastDeployment & { ended: Date }

/**
 * Counts. Deployments that were stopped or replaced before they ended are not counted, nor those that bring what runs already, such as
 * a restart, or something without a version. Pure.
 *
 * @param deployments the oldest first; one from before the window says what ran then
 * @param times when the commits were made that each deployed commit brought; undefined for none
 */
export function measure(
  service: string,
  deployments: PastDeployment[],
  { since, until }: Window,
  times?: ReadonlyMap<string, Date[]>,
): Metrics {
  const ended = deployments.filter((it): it is Counted => it.ended !== undefined)
  let running: Counted | undefined
  let broken: { since: Date } | undefined
  const changes: Counted[] = []
  const failed = new Set<Counted>()
  const restores: number[] = []
  const leads: number[] = []
  for (const it of ended.sort((a, b) => a.ended.getTime() - b.ended.getTime())) {
    const counts = it.started >= since && it.started <= until
    const isNew = semver.valid(it.version) !== null && running?.version !== it.version
    const goesBack = isOlder(it.version, running?.version)
    if (it.outcome === "completed") {
      if (broken) restores.push(seconds(broken.since, it.ended))
      broken = undefined
      if (goesBack && running && changes.includes(running)) {
        failed.add(running)
        if (counts) restores.push(seconds(running.ended, it.ended))
      }
      if (counts && isNew && !goesBack) {
        changes.push(it)
        for (const time of times?.get(it.commit ?? "") ?? []) leads.push(seconds(time, it.ended))
      }
      running = it
    } else if ((it.outcome === "rolled back" || it.outcome === "failed") && counts && isNew && !goesBack) {
      changes.push(it)
      failed.add(it)
      if (it.outcome === "rolled back") restores.push(seconds(it.started, it.ended))
      else broken ??= { since: it.started }
    }
  }
  const days = (until.getTime() - since.getTime()) / 86_400_000
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

function isOlder(version: string, than: string | undefined): boolean {
  return semver.valid(version) !== null && semver.valid(than) !== null && semver.lt(version, than as string)
}

function seconds(from: Date, to: Date): number {
  return Math.max(0, (to.getTime() - from.getTime()) / 1000)
}

function median(values: number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  return low === undefined || high === undefined ? null : (low + high) / 2
}

/**
 * Reads a window from what a person typed. ECS keeps 90 days, so it begins no earlier.
 *
 * @throws UserError if one of them is no time, or the window has no end after its beginning
 */
export function parseWindow(since: string, until: string, now = new Date()): Window {
  const end = until === "" ? now : parseTime(until, "--until", now)
  const oldest = new Date(now.getTime() - recordDays * 86_400_000)
  const asked = parseTime(since, "--since", now)
  const begin = asked < oldest ? oldest : asked
  if (begin < end) return { since: begin, until: end }
  throw new UserError(
    `The window from ${begin.toISOString()} to ${end.toISOString()} is empty.`,
    asked < oldest ? `ECS keeps its record of deployments for ${recordDays} days.` : "",
    "Pass --since with a time before --until.",
  )
}

/** The metrics of some services of one app, in a window. */
export async function metrics(
  places: { aws: Aws; where: Where; stage: string }[],
  settings: Settings,
  window: Window,
): Promise<(Metrics & { stage?: string })[]> {
  const all = await Promise.all(
    places.map(async ({ aws, where }) => {
      const target = await open(aws, where)
      return explained(errorContext(target), () => pastDeployments(target, { ...window, ...where }))
    }),
  )
  const times = await commitTimes(settings, all)
  return all.map((deployments, at) => {
    const { where, stage } = places[at] as (typeof places)[number]
    const found = measure(`${where.cluster}/${where.service}`, deployments, window, times[at])
    return stage === "" ? found : { stage, ...found }
  })
}

/** When the commits were made that each service's deployments brought, as far as this clone has them. */
export async function commitTimes(
  settings: Settings,
  services: PastDeployment[][],
): Promise<ReadonlyMap<string, Date[]>[]> {
  const commits = services.map(deployments => [
    ...new Set(deployments.filter(it => it.outcome === "completed").flatMap(({ commit }) => commit ?? [])),
  ])
  if (commits.every(list => list.length === 0)) return services.map(() => new Map())
  const { repository } = await openCheckout(settings)
  return Promise.all(
    commits.map(async (list, at) => {
      const times = await readTimes(repository.history.run, list, settings.path)
      // The first one has the whole history before it, which it did not bring.
      const first = services[at]?.find(it => it.outcome === "completed")?.commit
      const found = new Map(times)
      if (first !== undefined) found.set(first, (times.get(first) ?? []).slice(0, 1))
      return found
    }),
  )
}

/** The numbers as a table, with how each is counted. */
export function metricsTable(all: (Metrics & { stage?: string })[]): string {
  const day = (date: Date) => date.toISOString().slice(0, 10)
  const parts = all.map(it => {
    const { deploymentFrequency, leadTime, changeFailureRate, timeToRestore } = it
    const name = it.stage === undefined ? it.service : `${it.stage}: ${it.service}`
    const open = timeToRestore.open > 0 ? `; ${timeToRestore.open} not yet` : ""
    const rows = [
      [
        "deployment frequency",
        `${round(deploymentFrequency.perDay)} a day`,
        `${deploymentFrequency.deployments} deployments of a new version`,
      ],
      ["lead time for changes", duration(leadTime.seconds), `median of ${leadTime.commits} commits`],
      [
        "change failure rate",
        changeFailureRate.rate === null ? "–" : `${round(changeFailureRate.rate * 100)} %`,
        `${changeFailureRate.failed} of ${changeFailureRate.of} deployments`,
      ],
      ["time to restore", duration(timeToRestore.seconds), `median of ${timeToRestore.restored}${open}`],
    ]
    return `${name}, ${day(it.since)} to ${day(it.until)} (${round(it.days)} days)\n${table(rows)}`
  })
  const notes = table([
    ["deployment frequency", counted.deploymentFrequency],
    ["lead time for changes", counted.leadTime],
    ["change failure rate", counted.changeFailureRate],
    ["time to restore", counted.timeToRestore],
  ])
  return `${parts.join("\n\n")}\n\nHow they are counted\n${notes}`
}

function round(value: number): string {
  return String(Number(value.toPrecision(3)))
}

/**
 * The numbers as log events that CloudWatch makes metrics of (CloudWatch user guide, "Specification: Embedded metric format"): a JSON
 * object per line. What cannot be counted is left out.
 */
export function metricsEmf(all: (Metrics & { stage?: string })[], now = new Date()): string {
  const lines = all.map(it => {
    const values: [name: string, unit: string, value: number | null][] = [
      ["DeploymentFrequency", "Count", it.deploymentFrequency.deployments],
      ["LeadTime", "Seconds", it.leadTime.seconds],
      [
        "ChangeFailureRate",
        "Percent",
        it.changeFailureRate.rate === null ? null : it.changeFailureRate.rate * 100,
      ],
      ["TimeToRestore", "Seconds", it.timeToRestore.seconds],
    ]
    const known = values.filter(([, , value]) => value !== null)
    const [Cluster, Service] = it.service.split("/")
    const dimensions = { Cluster, Service, ...(it.stage !== undefined && { Stage: it.stage }) }
    return JSON.stringify({
      _aws: {
        Timestamp: now.getTime(),
        CloudWatchMetrics: [
          {
            Namespace: "ecs-release",
            Dimensions: [Object.keys(dimensions)],
            Metrics: known.map(([Name, Unit]) => ({ Name, Unit })),
          },
        ],
      },
      ...dimensions,
      Days: it.days,
      ...Object.fromEntries(known.map(([name, , value]) => [name, value])),
    })
  })
  return lines.map(line => `${line}\n`).join("")
}
