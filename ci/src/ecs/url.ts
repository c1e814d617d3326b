import { type Aws, ecs } from "../aws/clients.js"

/** The tag on the ECS service that says where people reach it. */
const urlTag = "ecs-release:url"
/** The tag with the URL at which a new version can be reached while it only gets test traffic. */
const testUrlTag = "ecs-release:test-url"

/** Where people reach the service: the setting, or else the service's tag `ecs-release:url` (ECS DescribeServices), if any. */
export async function urlOf(
  aws: Aws,
  url: string,
  { cluster, service }: { cluster: string; service: string },
): Promise<string | undefined> {
  if (url !== "") return url
  return serviceTag(aws, urlTag, { cluster, service })
}

/** Where the test traffic of a deployment goes: the service's tag `ecs-release:test-url`, if any. */
export function testUrlOf(
  aws: Aws,
  where: { cluster: string; service: string },
): Promise<string | undefined> {
  return serviceTag(aws, testUrlTag, where)
}

async function serviceTag(
  aws: Aws,
  name: string,
  { cluster, service }: { cluster: string; service: string },
): Promise<string | undefined> {
  const client = await ecs(aws)
  const { services } = await client.describeServices({ cluster, services: [service], include: ["TAGS"] })
  return services?.[0]?.tags?.find(({ key }) => key === name)?.value
}
