import { accountOf } from "./aws/account.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { describeRevision, readRevision } from "./ecs/revision.js"
import { type RolledBack, wasRolledBack } from "./ecs/rolled-back.js"
import {
  assertCompression,
  assertDeployable,
  describeService,
  errorContext,
  isCompleted,
  openService,
  primaryOf,
  revisionOf,
} from "./ecs/service.js"
import { assertPlatform, chooseContainers } from "./ecs/task-definition.js"
import { urlOf } from "./ecs/url.js"
import { UserError } from "./lib/errors.js"
import { namesIn } from "./lib/list.js"
import { type ServiceRef, type Settings, servicesOf } from "./settings.js"

/** What a service runs, and what a release should know about it before it starts. */
export type Preflight = {
  /** `cluster/service`. */
  name: string
  account: string
  /** The version that is running or being deployed, according to the task definition. */
  version?: string
  /** The same, if this pipeline released it. */
  released?: string
  /** Whether its deployment has completed. */
  completed: boolean
  url?: string
  /** Names of the containers that get the image. */
  containers: string[]
  /** Set if the version asked about was rolled back. */
  rolledBack?: RolledBack
}

/**
 * Checks the service before a release: what would otherwise fail later fails here.
 *
 * @param version the version to be released; everything else is read before it is known
 * @throws UserError for unknown credentials, if there is no service to deploy to, no such template or container, and if the image is
 *   built for another platform than the tasks run on
 */
export async function preflight(
  aws: Aws,
  settings: Settings,
  where: ServiceRef,
  version: string | Promise<string>,
): Promise<Preflight> {
  const account = await accountOf(aws)
  const target = await openService(aws, where)
  return explained(errorContext(target), async () => {
    const service = await describeService(target)
    assertDeployable(service, target)
    assertCompression(service, settings.compression)
    const primary = primaryOf(service)
    const arn = revisionOf(service)
    const [running, template, url, rolledBack] = await Promise.all([
      describeRevision(target, arn),
      where.template && describeRevision(target, where.template),
      urlOf(aws, settings.url, where),
      (async () => wasRolledBack(aws, { ...where, version: await version }))(),
    ])
    const { definition } = template || running
    const containers = chooseContainers(definition, where).map(({ name = "" }) => name)
    assertPlatform(definition, service, settings.platform)
    const current = readRevision(running, where.container)
    return {
      name: `${where.cluster}/${where.service}`,
      account,
      version: current.version,
      released: current.released,
      completed: primary !== undefined && isCompleted(service, primary),
      url,
      containers,
      rolledBack,
    }
  })
}

/**
 * Reads every service that is being released.
 *
 * @throws UserError as {@link preflight}, and for a container that none of them has
 */
export async function preflights(
  aws: Aws,
  settings: Settings,
  version: string | Promise<string>,
): Promise<Preflight[]> {
  const lives = await Promise.all(servicesOf(settings).map(where => preflight(aws, settings, where, version)))
  const there = lives.flatMap(({ containers }) => containers)
  const missing = namesIn(settings.container).find(name => !there.includes(name))
  if (missing === undefined) return lives
  throw new UserError(
    `None of ${serviceNames(lives)} has a container "${missing}".`,
    "",
    "Set --container to containers that their task definitions have.",
  )
}

/** The services' names. */
export function serviceNames(lives: Preflight[]): string {
  return lives.map(({ name }) => name).join(", ")
}
