import type { ContainerDefinition, RunTaskRequest, Service, Tag } from "../aws/types.js"
import { UserError } from "../lib/errors.js"
import { primaryOf } from "./service.js"
import type { Registration } from "./task-definition.js"

/** The family of one-off tasks: the service's own family contains only what the service runs. */
const suffix = "-task"

/**
 * The task definition of a one-off task: the release's, with a command in place of one container's entry point and command. A
 * request to run a task can replace an image's command, but not its entry point, so the task needs its own definition.
 * Pure.
 *
 * @param release what a deployment would register
 * @param container the container that runs the command; the others stay as they are
 */
export function oneOff(release: Registration, container: string, command: string[]): Registration {
  const [program, ...rest] = command
  if (program === undefined || program === "") {
    throw new UserError("There is no command to run.", "", "Pass one: --command python3,manage.py,migrate")
  }
  const containerDefinitions = release.containerDefinitions?.map((it): ContainerDefinition => {
    if (it.name !== container) {
      // No other container can wait for this one, because the task ends with it.
      const dependsOn = it.dependsOn?.filter(({ containerName }) => containerName !== container)
      return { ...it, ...(it.dependsOn && { dependsOn }), ...ownPorts(it, release.networkMode) }
    }
    // These are for a server: a job has no health check and no port (the service's task may be using it), and does not restart.
    const { healthCheck, portMappings, restartPolicy, ...kept } = it
    return { ...kept, entryPoint: [program], command: rest, essential: true }
  })
  return { ...release, family: release.family.slice(0, 255 - suffix.length) + suffix, containerDefinitions }
}

/**
 * A sidecar's ports, on host ports that ECS chooses: a fixed one may be taken by the service's own task on that instance. On the host's
 * network a container has the host's ports, and the mapping only reserves them.
 */
function ownPorts({ portMappings }: ContainerDefinition, networkMode = "bridge") {
  if (!portMappings || networkMode === "awsvpc" || networkMode === "none") return {}
  return { portMappings: networkMode === "host" ? [] : portMappings.map(it => ({ ...it, hostPort: 0 })) }
}

/**
 * Everything to run a task as the service does: its network, capacity, placement, platform, volumes and tags. Pure.
 *
 * @param tags the service's own, if its tasks get those
 */
export function runRequest(
  { cluster }: { cluster: string },
  service: Service,
  taskDefinition: string,
  tags: Tag[] = [],
): RunTaskRequest {
  const { capacityProviderStrategy = [], placementConstraints = [], placementStrategy = [] } = service
  const volumes = volumesOf(service)
  return {
    cluster,
    taskDefinition,
    count: 1,
    startedBy: "ecs-release",
    networkConfiguration: service.networkConfiguration,
    ...(capacityProviderStrategy.length > 0
      ? { capacityProviderStrategy }
      : { launchType: service.launchType }),
    ...(placementConstraints.length > 0 && { placementConstraints }),
    ...(placementStrategy.length > 0 && { placementStrategy }),
    ...(service.platformVersion && { platformVersion: service.platformVersion }),
    ...(volumes.length > 0 && { volumeConfigurations: volumes }),
    ...(service.enableExecuteCommand && { enableExecuteCommand: true }),
    ...(service.enableECSManagedTags && { enableECSManagedTags: true }),
    ...(service.propagateTags === "TASK_DEFINITION" && { propagateTags: "TASK_DEFINITION" }),
    ...(tags.length > 0 && { tags }),
  }
}

/** The EBS volumes that ECS makes for each of the service's tasks, as RunTask takes them; ECS deletes a service's own. */
function volumesOf(service: Service): NonNullable<RunTaskRequest["volumeConfigurations"]> {
  return (primaryOf(service)?.volumeConfigurations ?? []).map(({ name, managedEBSVolume: volume }) => ({
    name,
    managedEBSVolume: volume && {
      ...volume,
      // Only a service's task can inherit tags from its service.
      tagSpecifications: volume.tagSpecifications?.map(({ propagateTags, ...it }) =>
        propagateTags === "SERVICE" ? it : { ...it, propagateTags },
      ),
      terminationPolicy: { deleteOnTermination: true },
    },
  }))
}
