import type { Aws } from "../aws/clients.js"
import { explained } from "../aws/errors.js"
import { type PastDeployment, pastDeployments } from "../ecs/past-deployment.js"
import type { Revision } from "../ecs/revision.js"
import { errorContext, open } from "../ecs/service.js"
import { recordDays } from "../ecs/service-deployment.js"
import { urlOf } from "../ecs/url.js"
import { type Metrics, measure } from "../metrics/measure.js"
import type { Where } from "../settings.js"
import { type Status, status } from "../status.js"
import type { AppFacts, Facts, PlaceFacts } from "./facts.js"

/** What the page shows. */
export type State = { at: Date; read: string; apps: AppState[] }

export type AppState = Omit<AppFacts, "places" | "times"> & { services: ServiceState[] }

/** A service as ECS has it, or why that is not known. */
export type ServiceState = { name: string; stage: string; region: string } & (Seen | { error: string })

export type Seen = {
  status: Status
  url?: string
  /** The oldest first. */
  deployments: PastDeployment[]
  /** Of the last 30 days. */
  metrics: Metrics
  /** Of each of the last weeks, the oldest first. */
  weeks: Metrics[]
}

const day = 86_400_000
/** How many weeks the charts show: all of which ECS's record is whole. */
const weeks = Math.floor(recordDays / 7)

/** Reads what the page shows. Revisions that were read before are not read again. */
export class Reader {
  private readonly revisions = new Map<string, Map<string, Revision>>()

  /**
   * @param connect gives the way to AWS for a place
   */
  constructor(
    private readonly facts: Facts,
    private readonly connect: (place: PlaceFacts) => Promise<Aws>,
  ) {}

  /** Reads everything. What cannot be read says so, and the rest is shown. */
  async read(now = new Date()): Promise<State> {
    const apps = this.facts.apps.map(async ({ places, times, ...app }): Promise<AppState> => {
      const brought = new Map(times.map(([commit, list]) => [commit, list.map(it => new Date(it * 1000))]))
      const services = places.flatMap(place =>
        place.services.map(where => this.service(place, where, brought, now)),
      )
      return { ...app, services: await Promise.all(services) }
    })
    return { at: now, read: this.facts.read, apps: await Promise.all(apps) }
  }

  private async service(
    place: PlaceFacts,
    where: Where,
    times: ReadonlyMap<string, Date[]>,
    now: Date,
  ): Promise<ServiceState> {
    const name = `${where.cluster}/${where.service}`
    const about = { name, stage: place.stage, region: place.region }
    const known = this.revisions.get(`${place.stage} ${name}`) ?? new Map<string, Revision>()
    this.revisions.set(`${place.stage} ${name}`, known)
    try {
      const aws = await this.connect(place)
      const target = await open(aws, where)
      const since = new Date(now.getTime() - recordDays * day)
      const [now_, deployments, url] = await Promise.all([
        status(aws, where),
        explained(errorContext(target), () =>
          pastDeployments(target, { since, until: now, container: where.container }, known),
        ),
        urlOf(aws, place.url, where).catch(() => undefined),
      ])
      const within = (from: number, to: number) =>
        measure(
          name,
          deployments,
          { since: new Date(now.getTime() - from * day), until: new Date(now.getTime() - to * day) },
          times,
        )
      return {
        ...about,
        ...{ status: now_, deployments, url, metrics: within(30, 0) },
        weeks: Array.from({ length: weeks }, (_, at) => within((weeks - at) * 7, (weeks - at - 1) * 7)),
      }
    } catch (error) {
      return { ...about, error: (error as Error).message }
    }
  }
}

/** Whether something is going on, so that it is worth looking more often. */
export function isBusy({ apps }: State): boolean {
  return apps.some(({ services }) =>
    services.some(
      it =>
        "status" in it &&
        (it.status.pause !== undefined ||
          it.status.running !== it.status.desired ||
          it.status.deployments.some(
            ({ outcome }) => outcome === "in progress" || outcome === "rolling back",
          )),
    ),
  )
}
