import { logs } from "../aws/clients.js"
import { awslogs } from "../ecs/logs.js"
import { type Look, type Scene, Wrong } from "./check.js"
import { mayDo } from "./role.js"

/** Log groups exist, or ECS may create them. */
export function logLooks({ aws, definition }: Scene): Look[] {
  const groups = new Map(
    (definition.containerDefinitions ?? []).flatMap(container => {
      const log = awslogs(container)
      return log ? [[log.group, log]] : []
    }),
  )
  return [...groups].map(([group, log]) => ({
    name: `log group ${group}`,
    blocks: true,
    work: async () => {
      const region = log.region ?? aws.region
      const client = await logs({ ...aws, region })
      const { logGroups } = await client.describeLogGroups({ logGroupNamePrefix: group })
      const found = logGroups?.find(({ logGroupName }) => logGroupName === group)
      if (found) return found.retentionInDays ? `kept for ${found.retentionInDays} days` : "kept forever"
      const role = definition.executionRoleArn
      if (log.createsGroup && role) {
        const account = role.split(":")[4]
        const arn = `${role.split(":").slice(0, 2).join(":")}:logs:${region}:${account}:log-group:${group}`
        if (await mayDo(aws, role, "logs:CreateLogGroup", arn, {})) return "the first task creates it"
        throw new Wrong(
          `There is no log group ${group} in ${region}, and the execution role may not create it.`,
          "The log driver's option awslogs-create-group needs logs:CreateLogGroup.",
          `Allow it for ${role}, or create the group: aws logs create-log-group --log-group-name ${group} --region ${region}`,
        )
      }
      throw new Wrong(
        `There is no log group ${group} in ${region}.`,
        "ECS cannot start a task that logs there.",
        `Create it: aws logs create-log-group --log-group-name ${group} --region ${region}, or set awslogs-create-group.`,
      )
    },
  }))
}
