import { DescribeImagesCommand, ECRClient } from "@aws-sdk/client-ecr"
import { DescribeServicesCommand, DescribeTaskDefinitionCommand, ECSClient } from "@aws-sdk/client-ecs"
import { WORLD } from "../aws/names.js"
import { run } from "../machine/process.js"
import type { Sandbox } from "./sandbox.js"

/** What can be seen of releases from outside: in ECR, in git, in ECS and at the service itself. */
export interface Live {
  /** Images in ECR: digest to tags, sorted. */
  images: { digest: string; tags: string[] }[]
  /** Tags of the git remote: `v1.2.3 COMMIT`. */
  gitTags: string[]
  /** Family and revision that the service runs, and how far: `hello:3, 1 of 1 tasks`. */
  taskDefinition: string
  tasks: string
  /** The image that it names, and the version beside it. */
  image: string
  appVersion: string
  /** What `/version` answers. */
  answer: string
}

/** Looks at the sandbox from outside, with the pipeline's own rights. */
export async function lookAt(sandbox: Sandbox): Promise<Live> {
  const { role, region, endpoints, appUrl } = sandbox
  const credentials = { accessKeyId: role.id, secretAccessKey: role.secret, sessionToken: role.token }
  const client = { region, credentials, endpoint: `http://127.0.0.1:${endpoints.awsPort}` }
  const ecr = new ECRClient(client)
  const ecs = new ECSClient(client)
  const { imageDetails = [] } = await ecr.send(
    new DescribeImagesCommand({ repositoryName: WORLD.repository }),
  )
  const { services } = await ecs.send(
    new DescribeServicesCommand({ cluster: WORLD.cluster, services: [WORLD.service] }),
  )
  const arn = services?.[0]?.taskDefinition ?? ""
  const { taskDefinition } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: arn }))
  const app = taskDefinition?.containerDefinitions?.find(({ name }) => name === WORLD.container)
  const images = imageDetails.map(({ imageDigest = "", imageTags = [] }) => ({
    digest: imageDigest,
    tags: [...imageTags].sort((a, b) => a.length - b.length),
  }))
  return {
    images: images.sort((a, b) => (a.tags[0] ?? "").localeCompare(b.tags[0] ?? "", "en", { numeric: true })),
    gitTags: await gitTags(sandbox),
    taskDefinition: arn.replace(/^.*\//, ""),
    tasks: `${services?.[0]?.runningCount} of ${services?.[0]?.desiredCount}`,
    image: app?.image ?? "",
    appVersion: app?.environment?.find(({ name }) => name === "APP_VERSION")?.value ?? "none",
    answer: await answer(`${appUrl}/version`),
  }
}

async function gitTags({ repository: { url, token } }: Sandbox): Promise<string[]> {
  const address = url.replace("://", `://x-access-token:${token}@`)
  const { stdout } = await run("git", ["ls-remote", "--tags", "--refs", address])
  const lines = stdout.split("\n").filter(Boolean)
  return lines.map(line => line.replace(/^(\S+)\s+refs\/tags\/(.*)$/, "$2 $1")).sort()
}

async function answer(url: string): Promise<string> {
  const response = await fetch(url)
  return `${response.status} ${(await response.text()).trim()}`
}
