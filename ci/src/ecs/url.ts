import { type Aws, ecs } from "../aws/clients.js"

/** The tag on the ECS service that says where people reach it. */
const urlTag = "ecs-release:url"

/** Where people reach the service: the setting, else the service's tag `ecs-release:url` (ECS DescribeServices), if any. */
export async function urlOf(
  aws: Aws,
  url: string,
  { cluster, service }: { cluster: string; service: string },
): Promise<string | undefined> {
  if (url !== "") return url
  const client = await ecs(aws)
  const { services } = await client.describeServices({ cluster, services: [service], include: ["TAGS"] })
  return services?.[0]?.tags?.find(({ key }) => key === urlTag)?.value
}
