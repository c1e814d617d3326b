import { join } from "node:path"
import { ECR } from "@aws-sdk/client-ecr"
import { type ContainerDefinition, ECS } from "@aws-sdk/client-ecs"
import { IAM } from "@aws-sdk/client-iam"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { copyImage } from "../../ci/src/ecr/copy.js"
import { accessTo } from "../../ci/src/ecr/distribution.js"
import { ModuleWorld } from "./module.world.js"
import { checked } from "./output.schema.js"
import { project } from "./release.world.js"

// From staging to production: another account, with a registry of its own, where a deployment waits for an approval.

const production = "222222222222"

const file = (account = production) => `
region: eu-north-1
cluster: hello
container: app
stages:
  staging:
    repository: hello
    service: hello
  production:
    after: staging
    account: "${account}"
    roleArn: arn:aws:iam::${production}:role/release
    repository: prod
    service: prod
    approval: POST_SCALE_UP
`
const world = new ModuleWorld()

/** Calls the module as the account's root: the pipeline's role is for the sample service. */
const run = <T>(call: Parameters<typeof world.run<T>>[0], settings = {}) =>
  world.runAsRoot<T>(call, {
    ...{ repository: "", cluster: "", service: "", container: "", template: "", region: "" },
    ...settings,
  })
const promote = (version = "") =>
  run(module => module.promote("production", version, 900, "json")).then(checked)

beforeAll(async () => {
  process.env.OTHER_ACCOUNTS = production
  await world.start()
  await world.pushCommit("feat: begin", { "ecs-release.yaml": file() })
  const here = await world.root()
  const there = { ...here, credentials: { accessKeyId: production, secretAccessKey: "unused" } }
  const ecs = new ECS(there)
  const { services } = await new ECS(here).describeServices({ cluster: "hello", services: ["hello"] })
  const [service] = services ?? []
  const { taskDefinition } = await new ECS(here).describeTaskDefinition({
    taskDefinition: service?.taskDefinition,
  })
  const iam = new IAM(there)
  const trusted = (Principal: object) =>
    JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: "sts:AssumeRole", Principal }],
    })
  const policy = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] }
  for (const [RoleName, principal] of [
    ["release", { AWS: "arn:aws:iam::111122223333:root" }],
    ["execution", { Service: "ecs-tasks.amazonaws.com" }],
  ] as const) {
    await iam.createRole({ RoleName, AssumeRolePolicyDocument: trusted(principal) })
    await iam.putRolePolicy({ RoleName, PolicyName: "all", PolicyDocument: JSON.stringify(policy) })
  }
  // The service begins with a copy of the placeholder.
  await new ECR(there).createRepository({ repositoryName: "prod", imageTagMutability: "IMMUTABLE" })
  const [container] = taskDefinition?.containerDefinitions ?? []
  const placeholder = (container?.image ?? "").replace(/^[^/]*\//, "")
  const [repository = "", tag = ""] = placeholder.split(":")
  const { images } = await new ECR(here).batchGetImage({
    repositoryName: repository,
    imageIds: [{ imageTag: tag }],
  })
  const digest = images?.[0]?.imageId?.imageDigest ?? ""
  await copyImage(await accessTo(here, repository), await accessTo(there, "prod"), digest, "placeholder")
  await ecs.createCluster({ clusterName: "hello" })
  await ecs.registerTaskDefinition({
    ...{ family: "prod", networkMode: taskDefinition?.networkMode, cpu: "256", memory: "512" },
    ...{
      requiresCompatibilities: ["FARGATE"],
      executionRoleArn: `arn:aws:iam::${production}:role/execution`,
    },
    containerDefinitions: [
      { ...container, image: `${container?.image?.split("/")[0]}/prod@${digest}` } as ContainerDefinition,
    ],
  })
  await ecs.createService({
    ...{
      cluster: "hello",
      serviceName: "prod",
      taskDefinition: "prod",
      desiredCount: 1,
      launchType: "FARGATE",
    },
    networkConfiguration: service?.networkConfiguration,
    deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } },
  })
})
afterAll(() => world.remove())

test("a release goes to the first stage, and a promotion takes its digest to the next", {
  timeout: 300_000,
}, async () => {
  expect(await run(module => module.plan(true))).toMatch(
    /Stages\nstaging +hello\/hello +eu-north-1\n└─ production +hello\/prod +eu-north-1, account 222222222222 +approval at POST_SCALE_UP/,
  )
  await expect(promote()).rejects.toThrow(/is not a release of this pipeline/)
  const released = checked(await run(module => module.release(900, "", "", "json")))
  expect(released).toMatchObject({ outcome: "completed", services: [{ service: "hello/hello" }] })

  const paused = await promote()
  expect(paused).toMatchObject({
    ...{ kind: "promote", outcome: "paused", from: "staging", to: "production", version: released.version },
    image: { digest: released.image.digest },
    services: [{ service: "hello/prod", pause: { stage: "POST_SCALE_UP" } }],
  })
  expect(paused.image.reference).toContain("/prod@")
  await expect(run(module => module.approve())).rejects.toThrow(/It is not clear which stage you mean/)
  const inProduction = { stage: "production" }
  expect(await run(module => module.approve(), inProduction)).toMatch(/^approved: /)
  expect((await promote()).outcome).toMatch(/completed|unchanged/)

  const { services } = checked(await run(module => module.status("json")))
  expect(services).toMatchObject([
    { stage: "staging", version: released.version, digest: released.image.digest },
    { stage: "production", version: released.version, digest: released.image.digest },
  ])
})

test("it says what it skips and what changed, and refuses what was rolled back, or is older", {
  timeout: 300_000,
}, async () => {
  for (const change of ["fix: one", "feat: two"]) {
    await world.pushCommit(change)
    await run(module => module.release())
  }
  const promoted = await promote()
  expect(promoted).toMatchObject({ outcome: "paused", version: "0.2.0", before: "0.1.0", skipped: ["0.1.1"] })
  expect(promoted.changelog).toMatch(/## 0\.2\.0 .*### Features\n\n- two .*### Fixes\n\n- one /s)
  await run(module => module.reject("not today"), { stage: "production" })
  await expect(promote()).rejects.toThrow(/^0\.2\.0 is not deployed: 0\.2\.0 was rejected by arn:aws/)

  await run(module => module.rollback("0.1.1"), { stage: "staging" })
  await expect(promote("0.2.0")).rejects.toThrow(/^0\.2\.0 is not promoted: it was rolled back in staging/)
  await expect(promote("0.9.0")).rejects.toThrow(/^0\.9\.0 never ran in staging/)
})

/** What is different each time, as the page shows it. */
const settled = (text: string) =>
  text
    .replace(/sha256:[0-9a-f]{64}/g, "sha256:…")
    .replace(/\b[0-9a-f]{40}\b/g, "…")
    .replace(/commit [0-9a-f]{7}/g, "commit …")
    .replace(/\d{4}-\d{2}-\d{2}[ T][\d:.]+Z/g, "…")
    .replace(/\b20\d{2}-\d{2}-\d{2}\b/g, "…")
    .replace(/ \([0-9a-f]{7}\)/g, "")
    .replace(/127\.0\.0\.1:\d+|localhost:\d+/g, "registry.example")
    .replace(/after \d+ s/g, "after … s")
    .replace(/^(time|longest)( +).*$/gm, "$1$2…")
    .replace(/\b(hello|prod):\d+/g, "$1:…")
    .replace(/task [0-9a-f-]{36}/g, "task …")
    .replace(/ecs-svc\/\w+/g, "ecs-svc/…")
    .trimEnd()

test("docs/stages-demonstration.md shows what is printed (npx vitest run -u writes it)", {
  timeout: 300_000,
}, async () => {
  const page = [
    "# From staging to production, as it is printed",
    "",
    "Written by offline/test/promote.e2e.test.ts, on two emulated accounts with real containers; `…` is what is different each time.",
  ]
  const show = async (
    title: string,
    words: string,
    call: Parameters<typeof run<string>>[0],
    settings = {},
  ) => {
    const output = await run(call, settings).catch((error: Error) => `${error.message}\n(exit code 1)`)
    page.push("", `## ${title}`, "", "```console", `$ dagger call ${words}`, settled(output), "```")
  }
  const inProduction = { stage: "production" }
  const promoteText = () => run(module => module.promote("production"))
  await world.pushCommit("fix: the price is right")
  await show("A release goes to staging", "release", module => module.release())
  await show("A promotion waits for a person", "promote --to production", () => promoteText())
  await show(
    "Everyone can see what is waited for",
    "--stage production status",
    async module => (await module.status()).split("\n\n")[0] ?? "",
    inProduction,
  )
  await show(
    "Somebody says no",
    '--stage production reject --why "the price is wrong"',
    module => module.reject("the price is wrong"),
    inProduction,
  )
  await vi.waitFor(async () => expect(await inService("production")).toBe("completed"), 60_000)
  await show("It does not come back by itself", "promote --to production", () => promoteText())
  await world.pushCommit("feat: prices in euros")
  await run(module => module.release())
  await show("The next version", "promote --to production", () => promoteText())
  await show(
    "is approved",
    "--stage production approve --version 0.3.0",
    module => module.approve("0.3.0"),
    inProduction,
  )
  await vi.waitFor(async () => expect(await inService("production")).toBe("completed"), 60_000)
  await show("and runs", "promote --to production", () => promoteText())
  await world.pushCommit("feat: a page that does not work")
  await show(
    "A smoke check that fails takes a version back",
    `release --smoke 'echo "looking at $APP_VERSION"; exit 1'`,
    module => module.release(900, "", "", "text", false, "", 'echo "looking at $APP_VERSION"; exit 1'),
  )
  await expect(`${page.join("\n")}\n`).toMatchFileSnapshot(join(project, "docs/stages-demonstration.md"))
})

/** The outcome of a stage's last deployment. */
async function inService(stage: string): Promise<string> {
  const { services } = checked(await run(module => module.status("json"), { stage }))
  return services[0].deployments[0].outcome === "rolled back"
    ? "completed"
    : services[0].deployments[0].outcome
}

test("credentials of another account change nothing", async () => {
  await world.pushCommit("chore: another account", { "ecs-release.yaml": file("999999999999") })
  await expect(promote()).rejects.toThrow(
    /^The AWS credentials are for account 222222222222, but --account is 9{12}/,
  )
})
