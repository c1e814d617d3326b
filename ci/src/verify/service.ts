import { lambda } from "../aws/clients.js"
import { defaultTimeout, pauseStages } from "../ecs/pause.js"
import { assertCompression, assertDeployable, rollsBack } from "../ecs/service.js"
import { assertPlatform, chooseContainers } from "../ecs/task-definition.js"
import { namesIn } from "../lib/list.js"
import { type Look, orMissing, orWrong, type Scene, Wrong } from "./check.js"
import { checkRole } from "./role.js"

export function checkService({ service, where }: Scene): string {
  orWrong(() => assertDeployable(service, where))
  const { desiredCount = 0, launchType, deploymentConfiguration } = service
  const strategy = (deploymentConfiguration?.strategy ?? "ROLLING").toLowerCase().replace("_", "/")
  return [`${where.cluster}/${where.service}`, `${desiredCount} desired`, strategy, launchType?.toLowerCase()]
    .filter(Boolean)
    .join(", ")
}

export function checkContainers({ definition, where }: Scene): string {
  orWrong(() => chooseContainers(definition, where))
  const names = chooseContainers(definition, where).map(({ name }) => name)
  return `${names.join(", ")} of ${definition.family}`
}

export function checkPlatform({ definition, service, settings }: Scene): string {
  orWrong(() => assertPlatform(definition, service, settings.platform))
  return namesIn(settings.platform).join(" and ")
}

/** Whether the tasks can unpack the image. */
export function compressionLooks({ service, settings: { compression } }: Scene): Look[] {
  if (compression === "") return []
  const work = async () => {
    const also = orWrong(() => assertCompression(service, compression))
    return also === undefined ? compression : `${compression}: ${also}`
  }
  return [{ name: "compression", blocks: true, work }]
}

export function checkRollback({ service }: Scene): string {
  const { deploymentCircuitBreaker: breaker, alarms } = service.deploymentConfiguration ?? {}
  if (!rollsBack(service)) {
    throw new Wrong(
      "Nothing rolls a failed deployment back.",
      breaker?.enable
        ? "The circuit breaker is on, but its rollback is off."
        : "The service has no circuit breaker.",
      "Set deploymentCircuitBreaker to enable and rollback in the service.",
    )
  }
  const { type, value } = breaker?.thresholdConfiguration ?? {}
  const threshold = type === "COUNT" ? `, after ${value} failed tasks` : value ? `, at ${value} %` : ""
  return [
    breaker?.enable && breaker.rollback ? `by the circuit breaker${threshold}` : "",
    alarms?.enable && alarms.rollback ? `by the alarms ${alarms.alarmNames?.join(", ")}` : "",
  ]
    .filter(Boolean)
    .join(", ")
}

/** The functions that hooks call exist, and ECS may call them. */
export function hookLooks({ aws, service }: Scene): Look[] {
  return (service.deploymentConfiguration?.lifecycleHooks ?? []).flatMap(hook => {
    const { targetType, hookTargetArn, roleArn, lifecycleStages = [] } = hook
    const name = `hook at ${lifecycleStages.join(", ")}`
    if (targetType === "PAUSE") {
      const work = async () => {
        const bad = lifecycleStages.find(it => !pauseStages.includes(it))
        if (bad) throw new Wrong(`ECS cannot wait at ${bad}.`, "", `Use one of ${pauseStages.join(", ")}.`)
        return `waits for an approval, for ${hook.timeoutConfiguration?.timeoutInMinutes ?? defaultTimeout} min`
      }
      return [{ name, blocks: true, work }]
    }
    const work = async () => {
      if (!hookTargetArn) throw new Wrong("The hook has no function.", "", "Set its function, or remove it.")
      const client = await lambda(aws)
      const { State } = await orMissing(
        () => client.getFunctionConfiguration({ FunctionName: hookTargetArn }),
        /^ResourceNotFound/,
        `There is no Lambda function ${hookTargetArn}.`,
        "Create it, or remove the hook from the service.",
      )
      if (State === "Failed")
        throw new Wrong(`The Lambda function ${hookTargetArn} has failed.`, "", "Publish it again.")
      return hookTargetArn?.split(":").at(-1) ?? ""
    }
    return [
      { name, blocks: true, work },
      ...(roleArn
        ? [{ name: `${name}: role`, blocks: true, work: () => checkRole(aws, roleArn, "ecs.amazonaws.com") }]
        : []),
    ]
  })
}
