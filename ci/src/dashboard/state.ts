import { explained } from "../aws/errors.js"
import { type PastDeployment, pastDeployments } from "../ecs/past-deployment.js"
import { findPause } from "../ecs/pause.js"
import { describeRevision, type Revision, readRevision } from "../ecs/revision.js"
import { describeService, errorContext, revisionOf, shortName, type Target } from "../ecs/service.js"
import { listServiceDeployments, recordDays } from "../ecs/service-deployment.js"
import { type Status, summarize } from "../ecs/status.js"
import { urlOf } from "../ecs/url.js"
import { day } from "../lib/time.js"
import { type Metrics, measure } from "../metrics/measure.js"
import type { ServiceRef } from "../settings.js"
import type { AppFacts, Facts, PlaceFacts, ServiceFacts } from "./facts.js"

/** What the page shows. */
export type State = { at: Date; read: string; apps: AppState[] }

export type AppState = Omit<AppFacts, "places"> & { services: ServiceState[] }

/** A service as ECS reports it, or why that is not known. */
export type ServiceState = { name: string; stage: string; region: string } & (ServiceView | { error: string })

export type ServiceView = {
  status: Status
  url?: string
  /** The oldest first. */
  deployments: PastDeployment[]
  /** Of the last 30 days. */
  metrics: Metrics
  /** Of each of the last weeks, the oldest first. */
  weeks: Metrics[]
  /** Why it could not be read again, and since when: the rest is from that time. */
  stale?: { since: Date; error: string }
}

/** How many weeks the charts show: those that ECS's record covers completely. */
const weeks = Math.floor(recordDays / 7)

/** What is kept about a service from one read to the next. */
type Known = {
  target: Target
  revisions: Map<string, Revision>
  /** Task definitions by service revision. */
  definitions: Map<string, string | undefined>
  /** Of ECS's record, by id. */
  deployments: Map<string, PastDeployment>
  url?: Promise<string | undefined>
  last?: { at: Date; seen: ServiceView }
}

/** Reads what the page shows: first everything, then only what is new. For a service in which nothing goes on, that is two calls. */
export class Reader {
  private readonly memories = new Map<string, Promise<Known>>()

  /**
   * @param connect gives the client for a service
   */
  constructor(
    private readonly facts: Facts,
    private readonly connect: (place: PlaceFacts, where: ServiceRef) => Promise<Target>,
  ) {}

  /** Reads everything. What cannot be read is shown as it was before, with the reason; the rest is up to date. */
  async read(now = new Date()): Promise<State> {
    const apps = this.facts.apps.map(async ({ places, ...app }): Promise<AppState> => {
      const services = places.flatMap(place =>
        place.services.map(service => this.service(`${app.name} ${place.stage}`, place, service, now)),
      )
      return { ...app, services: await Promise.all(services) }
    })
    return { at: now, read: this.facts.read, apps: await Promise.all(apps) }
  }

  private async service(
    scope: string,
    place: PlaceFacts,
    { where, times }: ServiceFacts,
    now: Date,
  ): Promise<ServiceState> {
    const name = `${where.cluster}/${where.service}`
    const about = { name, stage: place.stage, region: place.region }
    const key = `${scope} ${name}`
    let memory: Known | undefined
    try {
      memory = await this.memory(key, place, where)
      const seen = await look(memory, place, where, now)
      const brought = new Map(times.map(([commit, list]) => [commit, list.map(it => new Date(it * 1000))]))
      const numbers = { ...seen, ...counted(name, seen.deployments, brought, now) }
      memory.last = { at: now, seen: numbers }
      return { ...about, ...numbers }
    } catch (error) {
      const { message } = error as Error
      const last = memory?.last
      return last
        ? { ...about, ...last.seen, stale: { since: last.at, error: message } }
        : { ...about, error: message }
    }
  }

  private async memory(key: string, place: PlaceFacts, where: ServiceRef): Promise<Known> {
    const found =
      this.memories.get(key) ??
      this.connect(place, where).then(target => ({
        ...{ target, revisions: new Map(), definitions: new Map(), deployments: new Map() },
      }))
    this.memories.set(key, found)
    // There may be credentials the next time.
    found.catch(() => this.memories.delete(key))
    return found
  }
}

type Look = Omit<ServiceView, "metrics" | "weeks" | "stale">

async function look(memory: Known, place: PlaceFacts, where: ServiceRef, now: Date): Promise<Look> {
  const { target, revisions } = memory
  return explained(errorContext(target), async () => {
    const [service, deployments, recent] = await Promise.all([
      describeService(target),
      recorded(memory, where, now),
      memory.last ? [] : listServiceDeployments(target, 1),
    ])
    const arn = revisionOf(service)
    const current = revisions.get(arn) ?? readRevision(await describeRevision(target, arn), where.container)
    revisions.set(arn, current)
    const goesOn = deployments.filter(({ outcome }) => outcome === "in progress")
    const open = goesOn.map(it => ({ serviceDeploymentArn: it.id, status: "IN_PROGRESS" as const }))
    const pause = (await findPause(target, open.length > 0 ? open : recent))?.pause
    const status = summarize(
      `${where.cluster}/${where.service}`,
      service,
      current,
      [...revisions.values()],
      [],
      pause,
    )
    memory.url ??= urlOf(target.aws, place.url, where).catch(() => undefined)
    const listed = deployments.slice(-8).reverse()
    // Without the record, fall back to the service's own list.
    return {
      status: listed.length > 0 ? { ...status, deployments: listed } : status,
      url: await memory.url,
      deployments,
    }
  })
}

/** ECS's record of the service, the oldest first: all of it at first, and then from the first deployment on that had not ended. */
async function recorded(memory: Known, { container }: ServiceRef, now: Date): Promise<PastDeployment[]> {
  const { target, revisions, definitions, deployments } = memory
  const oldest = now.getTime() - recordDays * day
  const known = [...deployments.values()]
  const open = known.find(({ ended }) => ended === undefined) ?? known.at(-1)
  const since = new Date(Math.max(oldest, (open?.started.getTime() ?? 0) - 60_000))
  // How it ended is noted on its revision.
  if (open?.ended === undefined && open?.taskDefinition) revisions.delete(open.taskDefinition)
  const options = { known: definitions, before: known.length === 0 }
  const read = await pastDeployments(target, { since, until: now, container }, revisions, options)
  for (const it of read) deployments.set(it.id, it)
  const all = [...deployments.values()].sort((a, b) => a.started.getTime() - b.started.getTime())
  for (const it of all) if (it.started.getTime() < oldest - day) deployments.delete(it.id)
  return all
}

function counted(
  name: string,
  deployments: PastDeployment[],
  times: ReadonlyMap<string, Date[]>,
  now: Date,
): Pick<ServiceView, "metrics" | "weeks"> {
  const within = (from: number, to: number) => {
    const window = {
      since: new Date(now.getTime() - from * day),
      until: new Date(now.getTime() - to * day),
    }
    return measure(name, deployments, window, times)
  }
  return {
    metrics: within(30, 0),
    weeks: Array.from({ length: weeks }, (_, at) => within((weeks - at) * 7, (weeks - at - 1) * 7)),
  }
}

/** The deployment that serves requests: the last completed one, if another is in progress. */
export function runningOf({ status, deployments }: Pick<ServiceView, "status" | "deployments">): {
  version?: string
  commit?: string
  since?: Date
  /** The deployment in progress. */
  next?: PastDeployment
} {
  const newest = [...deployments].reverse()
  const next = newest.find(({ outcome }) => outcome === "in progress" || outcome === "rolling back")
  const last = newest.find(({ outcome }) => outcome === "completed")
  if (!next || !last)
    return {
      version: status.version ?? shortName(status.revision),
      commit: status.commit,
      since: status.since,
      next,
    }
  return { version: last.version, commit: last.commit, since: last.ended, next }
}

/** Whether something is going on, so that it is worth looking more often. */
export function isBusy({ apps }: State): boolean {
  return apps.some(({ services }) =>
    services.some(
      it => "status" in it && (it.status.running !== it.status.desired || runningOf(it).next !== undefined),
    ),
  )
}
