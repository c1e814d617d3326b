import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { describeRevision, readRevision, register } from "../../src/ecs/revision.js"
import { openService } from "../../src/ecs/service.js"
import { chooseContainers, patch, platformOf, sameDefinition } from "../../src/ecs/task-definition.js"
import { aws, definition, image, revision, where } from "./mock.js"

const release = { image: image("b"), version: "1.1.0", commit: "b".repeat(40) }

describe("the task definition of a release", () => {
  const current = definition(1, "a", "1.0.0", {
    volumes: [{ name: "data" }],
    taskRoleArn: "",
    pidMode: undefined,
  })

  it("has one container's image and version replaced and everything else kept", () => {
    const { registration, container, unchanged } = patch(current, [], release)
    expect(container).toBe("app")
    expect(unchanged).toBe(false)
    const [before] = current.containerDefinitions ?? []
    expect(registration.containerDefinitions).toEqual([
      {
        ...before,
        image: image("b"),
        environment: [
          { name: "PORT", value: "8080" },
          { name: "APP_VERSION", value: "1.1.0" },
        ],
      },
    ])
    expect(registration.volumes).toEqual([{ name: "data" }])
  })

  it("has no read-only and no empty fields", () => {
    expect(Object.keys(patch(current, [], release).registration).sort()).toEqual([
      "containerDefinitions",
      "cpu",
      "family",
      "memory",
      "tags",
      "volumes",
    ])
  })

  it("leaves the original as it was", () => {
    const copy = structuredClone(current)
    patch(current, [], release)
    expect(current).toEqual(copy)
  })

  it("gets the variable if it had none", () => {
    const bare = definition(1, "a", "1.0.0", { containerDefinitions: [{ name: "app", image: image("a") }] })
    expect(patch(bare, [], release).registration.containerDefinitions?.[0]?.environment).toEqual([
      { name: "APP_VERSION", value: "1.1.0" },
    ])
  })

  it("keeps the team's tags, not AWS's own and not those of the release before", () => {
    const tags = [
      { key: "team", value: "red" },
      { key: "aws:cloudformation:stack-name", value: "x" },
      { key: "ecs-release:completed", value: "2025" },
      { key: "ecs-release:version", value: "1.0.0" },
    ]
    expect(patch(current, tags, release).registration.tags).toEqual([
      { key: "team", value: "red" },
      { key: "ecs-release:version", value: "1.1.0" },
      { key: "ecs-release:commit", value: release.commit },
    ])
  })

  it("is unchanged only if both image and version are", () => {
    const same = { ...release, image: image("a") }
    expect(patch(current, [], { ...same, version: "1.0.0" })).toMatchObject({ unchanged: true, diff: [] })
    expect(patch(current, [], same)).toMatchObject({
      unchanged: false,
      diff: ["- app.environment.APP_VERSION: 1.0.0", "+ app.environment.APP_VERSION: 1.1.0"],
    })
  })
})

describe("the container of a release", () => {
  const two = definition(1, "a", "1.0.0", {
    containerDefinitions: [
      { name: "proxy", image: "envoy" },
      { name: "app", image: image("a") },
    ],
  })

  it("is the named one; sidecars stay", () => {
    const containers = patch(two, [], { ...release, container: "app" }).registration.containerDefinitions
    expect(containers?.[0]).toEqual({ name: "proxy", image: "envoy" })
    expect(containers?.[1]?.image).toBe(image("b"))
  })

  it("has to be named if there are several", () => {
    expect(() => chooseContainers(two, {})).toThrow(
      /has 2 containers.*\nThey are: proxy, app\.\n→ Set --container/s,
    )
  })

  it("has to be there", () => {
    const choose = (container: string, someContainers = false) =>
      chooseContainers(two, { container, someContainers }).map(({ name }) => name)
    expect(() => choose("web")).toThrow(/no container "web".*\nIt has: proxy, app\./s)
    expect(() => choose("app,web,job")).toThrow(/no container "web" and none "job"/)
    // Of a set of services, each has its own of the containers.
    expect(choose("web,app", true)).toEqual(["app"])
    expect(() => choose("web,job", true)).toThrow(/no container "web" and none "job"/)
  })

  it("may be several, which get the image and the version", () => {
    const change = patch(two, [], { ...release, container: "app, proxy" })
    expect(change.container).toBe("app")
    for (const it of change.registration.containerDefinitions ?? []) {
      expect(it).toMatchObject({
        image: image("b"),
        environment: [{ name: "APP_VERSION", value: release.version }],
      })
    }
    expect(patch(change.registration, [], { ...release, container: "app,proxy" }).unchanged).toBe(true)
    expect(change.diff.filter(line => line.startsWith("+ "))).toHaveLength(4)
  })
})

describe("whether two definitions are the same", () => {
  const one = definition(1, "a", "1.0.0")

  it("ignores read-only fields and the order of variables or keys", () => {
    const other = definition(7, "a", "1.0.0")
    const [container] = other.containerDefinitions ?? []
    container?.environment?.reverse()
    expect(sameDefinition(one, Object.fromEntries(Object.entries(other).reverse()))).toBe(true)
  })

  it("sees any other difference, order of arguments included", () => {
    expect(sameDefinition(one, { ...one, cpu: "512" })).toBe(false)
    const command = (...words: string[]) => ({
      ...one,
      containerDefinitions: [{ name: "app", command: words }],
    })
    expect(sameDefinition(command("a", "b"), command("b", "a"))).toBe(false)
  })
})

describe("fields that the SDK does not know", () => {
  let server: Server
  const received: { target: string; body: Record<string, unknown> }[] = []
  const taskDefinition = {
    ...JSON.parse(JSON.stringify(definition(1, "a", "1.0.0"))),
    registeredAt: 1735689600.5,
    quantumMode: { qubits: 3 },
    proxyConfiguration: null,
  }
  taskDefinition.containerDefinitions[0].neverHeardOf = ["x"]

  beforeAll(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on("data", chunk => chunks.push(chunk))
      request.on("end", () => {
        const target = String(request.headers["x-amz-target"]).split(".").at(-1) ?? ""
        const text = Buffer.concat(chunks).toString()
        expect(Number(request.headers["content-length"])).toBe(Buffer.byteLength(text))
        received.push({ target, body: JSON.parse(text) })
        response.setHeader("content-type", "application/x-amz-json-1.1")
        const registered = { ...received.at(-1)?.body, taskDefinitionArn: revision(2), revision: 2 }
        const answer =
          target === "DescribeTaskDefinition" ? { taskDefinition, tags: [] } : { taskDefinition: registered }
        response.end(JSON.stringify(answer))
      })
    })
    await new Promise<void>(done => server.listen(0, "127.0.0.1", done))
  })
  afterAll(() => new Promise(done => server.close(done)))

  it("are kept from the current revision to the next, on the wire", async () => {
    const { ecs } = await import("./mock.js")
    ecs.restore() // The real client, against a server that notes what it is sent.
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const target = await openService({ ...aws, endpoint }, where)
    const current = await describeRevision(target, "web:1")
    const { registration } = patch(current.definition, current.tags, release)
    expect(await register(target, registration)).toBe(revision(2))
    const sent = received.find(it => it.target === "RegisterTaskDefinition")?.body
    expect(sent).toMatchObject({
      family: "web",
      quantumMode: { qubits: 3 },
      containerDefinitions: [{ image: image("b"), neverHeardOf: ["x"] }],
    })
    expect(sent).not.toHaveProperty("registeredAt")
    expect(sent).not.toHaveProperty("proxyConfiguration")
  })
})

describe("reading a revision", () => {
  it("gives version, commit and what became of it", () => {
    const tags = [
      { key: "ecs-release:commit", value: "abc" },
      { key: "ecs-release:rolled-back", value: "2025-01-01" },
    ]
    expect(readRevision({ arn: revision(4), definition: definition(4, "a", "1.0.0"), tags })).toEqual({
      arn: revision(4),
      number: 4,
      image: image("a"),
      version: "1.0.0",
      commit: "abc",
      completed: undefined,
      rolledBack: "2025-01-01",
    })
  })

  it("does not guess among several containers", () => {
    const definitions = definition(4, "a", "1.0.0", { containerDefinitions: [{ name: "a" }, { name: "b" }] })
    expect(readRevision({ arn: revision(4), definition: definitions, tags: [] }).image).toBeUndefined()
  })
})

describe("the platform that tasks run on", () => {
  it.each([
    [{ requiresCompatibilities: ["FARGATE"] }, "linux/amd64"],
    [{ requiresCompatibilities: ["FARGATE"], runtimePlatform: { cpuArchitecture: "ARM64" } }, "linux/arm64"],
    [{ runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "LINUX" } }, "linux/amd64"],
    [
      { runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "WINDOWS_SERVER_2022_CORE" } },
      "windows/amd64",
    ],
    [{ requiresCompatibilities: ["EC2"] }, undefined],
  ] as const)("of %j is %s", (definition, platform) => {
    expect(platformOf(definition as never, {})).toBe(platform)
  })

  it.each([
    [{ launchType: "EC2" as const }, undefined],
    [{ launchType: "FARGATE" as const }, "linux/amd64"],
    [{ capacityProviderStrategy: [{ capacityProvider: "graviton" }] }, undefined],
    [{ capacityProviderStrategy: [{ capacityProvider: "FARGATE_SPOT" }] }, "linux/amd64"],
  ])("of a task definition for both depends on the service: %j", (service, platform) => {
    expect(platformOf({ requiresCompatibilities: ["EC2", "FARGATE"] }, service)).toBe(platform)
  })
})
