/** The account, region and names of the offline world. They are what infra/ makes in a real account by default. */
export const WORLD = {
  accountId: "111122223333",
  region: "eu-north-1",
  repository: "hello",
  cluster: "hello",
  service: "hello",
  container: "app",
  containerPort: 8000,
  logGroup: "/ecs/hello",
  pipelineRole: "hello-pipeline",
} as const

/** The repository in which a bootstrapped CDK account keeps image assets. */
export const ASSETS = `cdk-hnb659fds-container-assets-${WORLD.accountId}-${WORLD.region}`

/** How long the pipeline's credentials are good for: the longest that a role's session may last. */
export const SESSION_SECONDS = 12 * 3600
