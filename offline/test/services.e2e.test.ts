import { cpSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { ECR } from "@aws-sdk/client-ecr"
import { ECS } from "@aws-sdk/client-ecs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { defaultSbomImage } from "../../ci/src/attestation/sbom.js"
import { ModuleWorld } from "./module.world.js"
import { checked } from "./output.schema.js"

// Several services of one cluster as a set, on the emulator: one with a load balancer, one without.

let world: ModuleWorld
/** The worker ends at once if it is a version that its task definition does not like. */
const worker = "case $APP_VERSION in 0.3.0) echo no queue; exit 9 ;; esac; exec sleep 1000"
const set = { service: "hello,worker", template: "", container: "app" }

beforeAll(async () => {
  // A worker has no health check that a crash would fail: it has to run for a while.
  process.env.STEADY_SECONDS = "2"
  world = new ModuleWorld(["app", "Dockerfile", ".dockerignore"])
  await world.start()
  await world.pushCommit("feat: begin")
  await world.release()
  const client = new ECS(await world.root())
  const { services } = await client.describeServices({ cluster: "hello", services: ["hello"] })
  const [service] = services ?? []
  const { taskDefinition } = await client.describeTaskDefinition({ taskDefinition: service?.taskDefinition })
  await client.registerTaskDefinition({
    ...{ family: "worker", networkMode: taskDefinition?.networkMode, cpu: "256", memory: "512" },
    ...{ requiresCompatibilities: ["FARGATE"], executionRoleArn: taskDefinition?.executionRoleArn },
    containerDefinitions: taskDefinition?.containerDefinitions?.map(it => ({
      ...it,
      ...{ entryPoint: ["sh", "-c"], command: [worker], portMappings: [] },
    })),
  })
  await client.createService({
    ...{
      cluster: "hello",
      serviceName: "worker",
      taskDefinition: "worker",
      desiredCount: 1,
      launchType: "FARGATE",
    },
    networkConfiguration: service?.networkConfiguration,
    deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } },
  })
})
afterAll(() => world.remove())

/** Calls the module as the root, since the pipeline's role is for one service. */
const run = <T>(call: Parameters<typeof world.run<T>>[0], settings = {}) =>
  world.runAsRoot<T>(call, { ...set, ...settings })

describe("services that are released together", () => {
  test("get the same digest, and are reported one by one", async () => {
    await world.pushCommit("feat: both")
    const released = checked(await run(module => module.release(900, "", "", "json")))
    expect(released).toMatchObject({
      ...{ schema: "ecs-release/v1", kind: "release", outcome: "completed", version: "0.2.0" },
      services: [
        { service: "hello/hello", outcome: "completed" },
        { service: "hello/worker", outcome: "completed" },
      ],
    })
    const status = checked(await run(module => module.status("json")))
    expect(status.services.map((it: { version: string }) => it.version)).toEqual(["0.2.0", "0.2.0"])
    expect(new Set(status.services.map((it: { digest: string }) => it.digest))).toEqual(
      new Set([released.image.digest]),
    )
    expect(await run(module => module.release())).toMatch(
      /^unchanged: hello\/hello already runs 0\.2\.0 .*\nunchanged: hello\/worker already runs 0\.2\.0 /,
    )
    expect(await run(module => module.history())).toMatch(/^\* +0\.2\.0 /m)
  })

  test("go back together if one of them fails", async () => {
    await world.pushCommit("feat: the worker fails")
    const error = await run(module => module.release()).catch(String)
    expect(error).toMatch(/rolled back: 0\.3\.0 did not reach all of hello, worker/)
    expect(error).toMatch(/worker: rolled back: 0\.3\.0 failed on hello\/worker[\s\S]*exit code 9/)
    expect(error).toMatch(/hello: went back to 0\.2\.0/)
    const status = checked(await run(module => module.status("json")))
    expect(status.services.map((it: { version: string }) => it.version)).toEqual(["0.2.0", "0.2.0"])
    expect(await run(module => module.release()).catch(String)).toMatch(/0\.3\.0 is not deployed/)
  })

  test("plan shows the changes of each, and rollback takes both to one version", async () => {
    await world.pushCommit("feat: fixed")
    const { service } = checked(await run(module => module.plan()))
    checked(await run(module => module.history("json")))
    expect(service).toEqual(
      expect.arrayContaining(["hello/hello:", "hello/worker:", "  + app.environment.APP_VERSION: 0.4.0"]),
    )
    expect(await run(module => module.release())).toMatch(
      /^completed: hello\/hello .*\ncompleted: hello\/worker /,
    )
    expect(await run(module => module.rollback())).toMatch(
      /hello\/hello runs 0\.2\.0[\s\S]*hello\/worker runs 0\.2\.0/,
    )
  })

  test("an image for another platform than the tasks' is refused before anything is built or claimed", async () => {
    await world.pushCommit("fix: for arm")
    const tags = await world.remoteTags()
    await expect(run(module => module.release(), { platform: "linux/arm64" })).rejects.toThrow(
      /run on linux\/amd64, but the image is built for linux\/arm64[\s\S]*→ .*--platform linux\/amd64/,
    )
    expect(await world.remoteTags()).toEqual(tags)
  })
})

test("an image for several platforms is one index, which ECS runs by its digest", {
  timeout: 120_000,
}, async () => {
  // Only the machine's own platform can run commands here: for the other one the image holds a file.
  const [own, other] = process.arch === "arm64" ? ["arm64", "amd64"] : ["amd64", "arm64"]
  const dockerfile = readFileSync(join(world.source, "Dockerfile"), "utf8")
    .replace(/ AS runtime$/m, ` AS runtime-${own}`)
    .concat(
      `\nFROM scratch AS runtime-${other}\nCOPY app/hello_world.py /\nFROM runtime-$TARGETARCH AS runtime\n`,
    )
  await world.pushCommit("feat: two platforms", { Dockerfile: dockerfile })
  const [syft = ""] = defaultSbomImage.split("@")
  const both = { platform: "linux/amd64,linux/arm64", sbomImage: syft }
  const released = checked(await run(module => module.release(900, "", "", "json"), both))
  expect(released).toMatchObject({ outcome: "completed", services: [{}, {}] })
  const index = await world.manifest(released.version)
  expect(index.mediaType).toBe("application/vnd.oci.image.index.v1+json")
  const platforms = index.manifests.map((it: { platform: object }) => it.platform)
  expect(platforms).toEqual([
    { os: "linux", architecture: "amd64" },
    { os: "linux", architecture: "arm64" },
  ])
  expect(await world.runningVersion()).toBe(released.version)
  // Each platform's image has its own SBOM: the one that holds a file has no packages.
  const packages = async (platform: string) =>
    JSON.parse(await run(module => module.sbom(released.version, platform), both)).packages.length
  expect(await packages(`linux/${own}`)).toBeGreaterThan(50)
  expect(await packages(`linux/${other}`)).toBeLessThan(3)
  await expect(packages("linux/s390x")).rejects.toThrow(
    /no image for linux\/s390x[\s\S]*It has: linux\/amd64, linux\/arm64/,
  )
})

describe("the apps of a monorepo", () => {
  const file = `cluster: hello
container: app
apps:
  api: { path: api, context: api, tagPrefix: api/, repository: hello, service: hello }
  jobs: { path: jobs, context: jobs, tagPrefix: jobs/, repository: jobs, service: worker }
`
  /** Nothing but the file says what is released. */
  const plain = { service: "", container: "", cluster: "", repository: "", template: "" }
  const release = (app = "") => run(module => module.release(), { ...plain, app })

  beforeAll(async () => {
    await new ECR(await world.root()).createRepository({
      repositoryName: "jobs",
      imageTagMutability: "IMMUTABLE",
    })
    for (const app of ["api", "jobs"]) {
      for (const name of ["app", "Dockerfile", ".dockerignore"]) {
        cpSync(join(world.source, name), join(world.source, app, name), { recursive: true })
      }
    }
    await world.pushCommit("feat: apps", { "ecs-release.yaml": file })
    for (const app of ["api", "jobs"]) world.git("tag", `${app}/v1.0.0`, "HEAD")
    await world.push("api/v1.0.0", "jobs/v1.0.0")
  })

  test("that changed are released, each with its own version, and the others are left alone", async () => {
    await world.pushCommit("feat: api only", { "api/new": "1" })
    await world.pushCommit("fix: jobs only", { "jobs/new": "1" })
    expect(await run(module => module.version(), plain)).toBe("api 1.1.0\njobs 1.0.1\n")
    expect(await release()).toMatch(
      /^api +completed +1\.1\.0 +hello\/hello\njobs +completed +1\.0\.1 +hello\/worker\n$/,
    )
    await world.pushCommit("fix: api only", { "api/new": "2" })
    expect(await release()).toMatch(
      /^api +completed +1\.1\.1 +hello\/hello\njobs +nothing +1\.0\.1 +nothing to release since 1\.0\.1/,
    )
    expect(Object.keys(await world.remoteTags())).toEqual(
      expect.arrayContaining(["api/v1.1.1", "jobs/v1.0.1"]),
    )
    const { apps } = checked(await run(module => module.status("json"), plain))
    expect(apps.map((it: { app: string }) => it.app)).toEqual(["api", "jobs"])
  })

  test("are released without one that fails, and the call fails", async () => {
    const broken = { "jobs/Dockerfile": "FROM scratch AS test\nFROM nowhere:1 AS runtime\n" }
    await world.pushCommit("feat: both", { "api/new": "3", ...broken })
    const error = await release().catch(String)
    expect(error).toMatch(/1 of 2 apps failed: jobs\.\napi +completed +1\.2\.0 .*\njobs +failed /)
    expect(error).toMatch(/→ .*--app jobs/)
    expect(await world.runningVersion()).toBe("1.2.0")
    await expect(run(module => module.deploy(), plain)).rejects.toThrow(/works on one app[\s\S]*api, jobs/)
    expect(await run(module => module.deploy("1.1.1"), { ...plain, app: "api" })).toMatch(
      /^completed: .* 1\.1\.1/,
    )
  })
})
