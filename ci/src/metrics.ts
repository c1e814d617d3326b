import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { type PastDeployment, pastDeployments } from "./ecs/past-deployment.js"
import { errorContext, openService, shortName } from "./ecs/service.js"
import { recordDays } from "./ecs/service-deployment.js"
import { openCheckout } from "./git/checkout.js"
import { readTimes } from "./git/log.js"
import { UserError } from "./lib/errors.js"
import { table } from "./lib/table.js"
import { rounded } from "./lib/text.js"
import { day, duration, parseTime } from "./lib/time.js"
import { counted, type Metrics, measure, type Window } from "./metrics/measure.js"
import type { ServiceRef, Settings } from "./settings.js"

/**
 * Reads a window from what a person typed. ECS keeps 90 days, so it cannot start earlier.
 *
 * @throws UserError if either is not a time, or if the window does not end after its start
 */
export function parseWindow(since: string, until: string, now = new Date()): Window {
  const end = until === "" ? now : parseTime(until, "--until", now)
  const oldest = new Date(now.getTime() - recordDays * day)
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
  places: { aws: Aws; where: ServiceRef; stage: string }[],
  settings: Settings,
  window: Window,
): Promise<(Metrics & { stage?: string })[]> {
  const all = await Promise.all(places.map(({ aws, where }) => recordOf(aws, where, window)))
  const times = await commitTimes(settings, all)
  return all.map((deployments, at) => {
    const { where, stage } = places[at] as (typeof places)[number]
    const found = measure(`${where.cluster}/${where.service}`, deployments, window, times[at])
    return stage === "" ? found : { stage, ...found }
  })
}

/** ECS's record of a service in a window. */
export async function recordOf(aws: Aws, where: ServiceRef, window: Window): Promise<PastDeployment[]> {
  const target = await openService(aws, where)
  return explained(errorContext(target), () => pastDeployments(target, { ...window, ...where }))
}

/** The times of the commits in each service's deployments, as far as this clone has those commits. */
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
    commits.map(async list => {
      const times = await readTimes(repository.history.run, list, settings.path)
      // The first known deployment is left out: it would count the whole history before it.
      const [first] = list.filter(commit => times.has(commit))
      const found = new Map(times)
      if (first !== undefined) found.delete(first)
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
    const open = timeToRestore.open > 0 ? `; ${timeToRestore.open} not restored yet` : ""
    const rows = [
      [
        "deployment frequency",
        `${rounded(deploymentFrequency.perDay)} a day`,
        `${deploymentFrequency.deployments} deployments of a new version`,
      ],
      ["lead time for changes", duration(leadTime.seconds), `median of ${leadTime.commits} commits`],
      [
        "change failure rate",
        changeFailureRate.rate === null ? "–" : `${rounded(changeFailureRate.rate * 100)} %`,
        `${changeFailureRate.failed} of ${changeFailureRate.of} deployments`,
      ],
      ["time to restore", duration(timeToRestore.seconds), `median of ${timeToRestore.restored}${open}`],
    ]
    return `${name}, ${day(it.since)} to ${day(it.until)} (${rounded(it.days)} days)\n${table(rows)}`
  })
  const notes = table([
    ["deployment frequency", counted.deploymentFrequency],
    ["lead time for changes", counted.leadTime],
    ["change failure rate", counted.changeFailureRate],
    ["time to restore", counted.timeToRestore],
  ])
  return `${parts.join("\n\n")}\n\nHow they are counted\n${notes}`
}

/**
 * The numbers as log events that CloudWatch turns into metrics (CloudWatch user guide, "Specification: Embedded metric format"): a JSON
 * object per line. Numbers that cannot be counted are left out.
 */
export function metricsEmf(all: (Metrics & { stage?: string })[]): string {
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
    // Either may be an ARN, whose last part is the name.
    const cut = it.service.lastIndexOf("/")
    const [Cluster, Service] = [shortName(it.service.slice(0, cut)), it.service.slice(cut + 1)]
    const dimensions = { Cluster, Service, ...(it.stage !== undefined && { Stage: it.stage }) }
    return JSON.stringify({
      _aws: {
        Timestamp: it.until.getTime(),
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
