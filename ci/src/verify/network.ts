import { ec2, loadBalancing, quotas } from "../aws/clients.js"
import { shiftsTraffic } from "../ecs/service.js"
import { UserError } from "../lib/errors.js"
import { type Look, orMissing, type Scene, Wrong } from "./check.js"
import { checkRole } from "./role.js"

/** The port that a target group sends traffic to is one of the container's, and the group accepts this kind of target. */
export function balancerLooks({ aws, service, definition }: Scene): Look[] {
  // In blue/green, linear and canary deployments traffic goes to two groups in turn, and ECS moves it with a role.
  const groups = (service.loadBalancers ?? []).flatMap(({ advancedConfiguration, ...it }) => [
    it,
    ...(advancedConfiguration?.alternateTargetGroupArn
      ? [{ ...it, targetGroupArn: advancedConfiguration.alternateTargetGroupArn }]
      : []),
  ])
  const roles = (service.loadBalancers ?? []).flatMap(it => it.advancedConfiguration?.roleArn ?? [])
  const roleLooks = [...new Set(roles)].map(
    (arn): Look => ({
      name: "role that moves traffic",
      blocks: true,
      work: () => checkRole(aws, arn, "ecs.amazonaws.com"),
    }),
  )
  const looks = groups.map(({ containerName, containerPort, targetGroupArn = "" }): Look => {
    const group = targetGroupArn.split("/")[1] ?? targetGroupArn
    return {
      name: `target group ${group}`,
      blocks: true,
      work: async () => {
        const container = definition.containerDefinitions?.find(({ name }) => name === containerName)
        const ports = (container?.portMappings ?? []).map(it => it.containerPort ?? it.containerPortRange)
        if (!ports.includes(containerPort)) {
          throw new Wrong(
            `The load balancer sends traffic to port ${containerPort} of ${containerName}, which ${definition.family} does not have.`,
            container
              ? `${containerName} has: ${ports.join(", ") || "no port"}.`
              : `There is no container ${containerName}.`,
            "Add the port mapping to the task definition, or correct the service's load balancer.",
          )
        }
        if (targetGroupArn === "") return `${containerName}:${containerPort}`
        const client = await loadBalancing(aws)
        const { TargetGroups } = await orMissing(
          () => client.describeTargetGroups({ TargetGroupArns: [targetGroupArn] }),
          /^TargetGroupNotFound/,
          `There is no target group ${targetGroupArn}.`,
          "Create it, or correct the service's load balancer.",
        )
        const [found] = TargetGroups ?? []
        const wanted = definition.networkMode === "awsvpc" ? "ip" : "instance"
        if (found?.TargetType !== wanted) {
          throw new Wrong(
            `The target group ${group} has targets of type ${found?.TargetType}, but the tasks need ${wanted}.`,
            `The task definition's network mode is ${definition.networkMode ?? "bridge, the default"}.`,
            `Create a target group of type ${wanted}.`,
          )
        }
        return `${containerName}:${containerPort}`
      },
    }
  })
  return [...looks, ...roleLooks]
}

/** Subnets and security groups exist, in the same VPC. */
export function networkLooks({ aws, service }: Scene): Look[] {
  const { subnets = [], securityGroups = [] } = service.networkConfiguration?.awsvpcConfiguration ?? {}
  if (subnets.length === 0) return []
  const inNetwork = (of: { VpcId?: string }[] | undefined) => new Set(of?.flatMap(({ VpcId }) => VpcId ?? []))
  const findSubnets = async () => {
    const client = await ec2(aws)
    const { Subnets } = await orMissing(
      () => client.describeSubnets({ SubnetIds: subnets }),
      /^InvalidSubnetID/,
      `Not all of these subnets exist: ${subnets.join(", ")}.`,
      "Correct the service's network configuration.",
    )
    return {
      networks: inNetwork(Subnets),
      text: `${subnets.length} in ${[...inNetwork(Subnets)].join(", ")}`,
    }
  }
  // The security groups are compared with them.
  const found = findSubnets()
  found.catch(() => {})
  const groupsLook = async () => {
    const client = await ec2(aws)
    const { SecurityGroups } = await orMissing(
      () => client.describeSecurityGroups({ GroupIds: securityGroups }),
      /^InvalidGroup/,
      `Not all of these security groups exist: ${securityGroups.join(", ")}.`,
      "Correct the service's network configuration.",
    )
    const { networks } = await found
    const other = SecurityGroups?.find(({ VpcId = "" }) => networks.size > 0 && !networks.has(VpcId))
    // A group can be associated with VPCs other than its own.
    return `${securityGroups.join(", ")}${other ? `; ${other.GroupId} is in ${other.VpcId}, not in the subnets' VPC` : ""}`
  }
  return [
    { name: "subnets", blocks: true, work: async () => (await found).text },
    ...(securityGroups.length > 0 ? [{ name: "security groups", blocks: true, work: groupsLook }] : []),
  ]
}

/** Fargate's quotas for vCPUs that run at the same time in an account and region, On-Demand and Spot. */
const vcpuQuota = { FARGATE: "L-3032A538", FARGATE_SPOT: "L-36FBB829" }

/** A deployment's tasks fit into the account's quota. How much of it other services use is not known. */
export function quotaLooks({ aws, service, definition }: Scene): Look[] {
  const providers = (service.capacityProviderStrategy ?? []).map(it => it.capacityProvider)
  const kinds = (["FARGATE_SPOT", "FARGATE"] as const).filter(
    it => service.launchType === it || providers.includes(it),
  )
  const [kind] = kinds
  if (kind === undefined) return []
  const work = async () => {
    if (kinds.length > 1)
      throw new UserError("The tasks are on FARGATE and FARGATE_SPOT, each with its own quota.")
    const client = await quotas(aws)
    const { Quota } = await client.getServiceQuota({ ServiceCode: "fargate", QuotaCode: vcpuQuota[kind] })
    const cpu = Number(definition.cpu ?? 0) / 1024
    const percent = shiftsTraffic(service) ? 200 : (service.deploymentConfiguration?.maximumPercent ?? 200)
    const needed = Math.floor(((service.desiredCount ?? 0) * percent) / 100) * cpu
    if (Quota?.Value === undefined) return `${needed} vCPU needed; the quota is not known`
    if (needed <= Quota.Value) return `${needed} of ${Quota.Value} vCPU at most`
    throw new Wrong(
      `A deployment needs up to ${needed} vCPU, but the account may run only ${Quota.Value} on ${kind}.`,
      `${service.desiredCount} tasks of ${cpu} vCPU, at ${percent} %. A rolling deployment would then be slower.`,
      `Request an increase in Service Quotas (fargate, ${vcpuQuota[kind]}), or lower the service's maximumPercent.`,
    )
  }
  return [{ name: "vCPU quota", work }]
}
