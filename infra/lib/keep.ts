import {
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  type ECSClient,
  RegisterTaskDefinitionCommand,
  type Service,
  type TaskDefinition,
} from "@aws-sdk/client-ecs"

/** A sentence for the person who deploys; `ok` is false if the stack must not be updated now. */
export type Verdict = { ok: boolean; says: string }

/**
 * Makes sure that the newest revision of the family is the running one, because an update of the stack moves the service
 * to the newest (lib/service.ts). After a rollback it is not: the revision that was rolled back is newer. Then the running
 * revision is registered again as the newest, with its image, settings and tags. The service itself is left alone.
 *
 * @param name of the cluster, the service and the family
 */
export async function keepRunning(client: ECSClient, name: string): Promise<Verdict> {
  const service = await find(client, name)
  if (service === undefined) return { ok: true, says: "There is no service yet: the stack creates it." }
  if (service.deployments?.some(({ rolloutState }) => rolloutState === "IN_PROGRESS")) {
    return {
      ok: false,
      says: `A deployment of ${name} is in progress. Run this again when it has ended (dagger call status).`,
    }
  }
  const running = await describe(client, service.taskDefinition ?? name)
  const newest = await describe(client, name)
  if (running.definition.taskDefinitionArn === newest.definition.taskDefinitionArn) {
    return { ok: true, says: `${name} runs the newest revision, ${label(running.definition)}: it stays.` }
  }
  const copy = await client.send(
    new RegisterTaskDefinitionCommand({
      ...writable(running.definition),
      family: name,
      containerDefinitions: running.definition.containerDefinitions,
      tags: running.tags.filter(({ key }) => !key?.startsWith("aws:")),
    }),
  )
  return {
    ok: true,
    says:
      `${name} runs ${label(running.definition)}, while ${label(newest.definition)} is newer: ` +
      `registered ${label(copy.taskDefinition)}, a copy of what runs.`,
  }
}

async function find(client: ECSClient, name: string): Promise<Service | undefined> {
  try {
    const { services } = await client.send(new DescribeServicesCommand({ cluster: name, services: [name] }))
    return services?.find(({ status }) => status === "ACTIVE")
  } catch (error) {
    if ((error as Error).name === "ClusterNotFoundException") return undefined
    throw error
  }
}

async function describe(client: ECSClient, taskDefinition: string) {
  const answer = await client.send(new DescribeTaskDefinitionCommand({ taskDefinition, include: ["TAGS"] }))
  return { definition: answer.taskDefinition ?? {}, tags: answer.tags ?? [] }
}

/** Without what DescribeTaskDefinition returns and RegisterTaskDefinition does not accept. */
function writable(definition: TaskDefinition) {
  const { taskDefinitionArn, revision, status, requiresAttributes, compatibilities, ...rest } = definition
  const { registeredAt, registeredBy, deregisteredAt, deleteRequestedAt, ...settings } = rest
  return settings
}

function label(definition: TaskDefinition | undefined): string {
  return definition?.taskDefinitionArn?.split("/").at(-1) ?? "?"
}
