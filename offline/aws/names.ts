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
