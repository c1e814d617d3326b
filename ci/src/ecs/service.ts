import { type Aws, ecs } from "../aws/clients.js"
import { noService } from "../aws/errors.js"
import type { Deployment, DeploymentConfiguration, ECS, Service } from "../aws/types.js"
import { UserError } from "../lib/errors.js"

/** A service, and the client to ask about it. */
export type Target = { aws: Aws; client: ECS; cluster: string; service: string }

/** Opens a service: one client, so that its adaptive retry learns from all the calls of a run. */
export async function openService(
  aws: Aws,
  { cluster, service }: { cluster: string; service: string },
): Promise<Target> {
  return { aws, client: await ecs(aws), cluster, service }
}

/** What an error about this service should name. */
export function errorContext({ aws, cluster, service }: Target) {
  return { region: aws.region, endpoint: aws.endpoint, cluster, service }
}

/**
 * The service as ECS describes it.
 *
 * @throws UserError if there is no such service
 */
export async function describeService(target: Target): Promise<Service> {
  const { cluster, service } = target
  const answer = await target.client.describeServices({ cluster, services: [service] })
  const found = answer.services?.[0]
  if (found === undefined) throw noService(errorContext(target))
  return found
}

/**
 * Refuses a compression that the service's tasks cannot unpack. AWS Fargate can unpack zstd since platform version 1.4.0, for Linux.
 *
 * @returns what the instances need, if ECS cannot tell
 * @throws UserError for zstd on an older platform version
 */
export function assertCompression(
  { launchType, platformVersion = "" }: Service,
  compression: string,
): string | undefined {
  if (compression !== "zstd") return undefined
  if (/^1\.[0-3]\./.test(platformVersion)) {
    throw new UserError(
      `The tasks run on AWS Fargate ${platformVersion}, which cannot unpack zstd.`,
      "Platform version 1.4.0 or later can.",
      "Set the service's platform version to LATEST, or leave out --compression.",
    )
  }
  if (launchType === "FARGATE" || platformVersion !== "") return undefined
  return "the instances need Docker 23 or containerd 1.5"
}

/**
 * Refuses a service that cannot be deployed to.
 *
 * @throws UserError if it is being deleted or is gone, or if something other than ECS deploys it
 */
export function assertDeployable(service: Service, { cluster }: { cluster: string }): void {
  const name = `The service "${service.serviceName}" in cluster "${cluster}"`
  if (service.status !== "ACTIVE") {
    throw new UserError(
      `${name} is ${service.status}, not ACTIVE.`,
      "It was deleted or is being deleted: ECS does not start deployments on it.",
      "Create the service again (infra/), or set --service to another.",
    )
  }
  // An Express service: ECS replaces what others change in it (ECS API reference, Service.resourceManagementType).
  if (service.resourceManagementType === "ECS") {
    throw new UserError(
      `${name} is an Express service: ECS manages its task definition.`,
      "The next update of the Express service would replace any task definition that this pipeline registers.",
      "Release to an ordinary service, or update this one: aws ecs update-express-gateway-service --service-arn … --primary-container image=…",
    )
  }
  const controller = service.deploymentController?.type ?? "ECS"
  if (controller !== "ECS") {
    throw new UserError(
      `${name} is deployed by ${controller}, not by ECS.`,
      "This pipeline drives ECS's own deployments: rolling, blue/green, canary and linear.",
      "Set the service's deployment controller to ECS.",
    )
  }
}

/**
 * Points the service at a task definition, which starts a deployment.
 *
 * @param revision ARN of the task definition
 * @param before ids of the deployments that were there before
 * @param options `force` starts one even if the service already has this task definition; `configuration` is the deployment
 *   configuration, if it is to change
 * @returns the deployment that this call started: a new one with this task definition, never simply the primary, which
 *   may be somebody else's by the time ECS answers. Undefined if the answer has none.
 */
export async function updateService(
  { client, cluster, service }: Target,
  revision: string,
  before: ReadonlySet<string>,
  { force, configuration }: { force?: boolean; configuration?: DeploymentConfiguration } = {},
): Promise<Deployment | undefined> {
  const answer = await client.updateService({
    cluster,
    service,
    taskDefinition: revision,
    ...(force && { forceNewDeployment: true }),
    ...(configuration && { deploymentConfiguration: configuration }),
  })
  return newDeployment(answer.service, revision, before)
}

/** The newest deployment of a task definition that was not there before. */
export function newDeployment(
  service: Service | undefined,
  revision: string,
  before: ReadonlySet<string>,
): Deployment | undefined {
  return (service?.deployments ?? [])
    .filter(({ id = "", taskDefinition }) => taskDefinition === revision && !before.has(id))
    .sort((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0))[0]
}

/** The deployment whose task definition the service keeps running. */
export function primaryOf(service: Service | undefined): Deployment | undefined {
  return service?.deployments?.find(({ status }) => status === "PRIMARY")
}

/** ARN of the task definition that the service runs or is about to run; "" if it has none. */
export function revisionOf(service: Service): string {
  return primaryOf(service)?.taskDefinition ?? service.taskDefinition ?? ""
}

/**
 * Whether a deployment has ended well. If ECS gives no rollout state (a Classic Load Balancer; API
 * reference, `Deployment`), it has when it is alone and all its tasks run.
 */
export function isCompleted(service: Service, deployment: Deployment): boolean {
  if (deployment.rolloutState !== undefined) return deployment.rolloutState === "COMPLETED"
  return (
    service.deployments?.length === 1 &&
    deployment.status === "PRIMARY" &&
    deployment.runningCount === deployment.desiredCount
  )
}

/** The deployment that is in progress: the primary one, unless it has ended. */
export function inProgress(service: Service): Deployment | undefined {
  const primary = primaryOf(service)
  return primary && !isCompleted(service, primary) && primary.rolloutState !== "FAILED" ? primary : undefined
}

/** Whether ECS shifts traffic between two revisions (blue/green, canary, linear) instead of a rolling update. */
export function shiftsTraffic(service: Service): boolean {
  return (service.deploymentConfiguration?.strategy ?? "ROLLING") !== "ROLLING"
}

/** Whether ECS rolls back by itself if a deployment fails. */
export function rollsBack(service: Service): boolean {
  const { deploymentCircuitBreaker: breaker, alarms } = service.deploymentConfiguration ?? {}
  return Boolean((breaker?.enable && breaker.rollback) || (alarms?.enable && alarms.rollback))
}

/** The last part of an ARN: `family:revision` of a task definition, the id of a task. */
export function shortName(arn: string | undefined): string {
  return arn?.split("/").at(-1) ?? "?"
}

/** Whether ECS says of a deployment that it is a rollback. */
export function isRollback({ rolloutStateReason = "" }: Deployment): boolean {
  return /roll(ing|ed)?[ -]?back/i.test(rolloutStateReason)
}
