import {
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  ListTaskDefinitionsCommand,
  RegisterTaskDefinitionCommand,
  TagResourceCommand,
  type TaskDefinition,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { afterEach, expect, it, vi } from "vitest"
import { deploySet, onEach, rollbackSet } from "../src/service-set.js"
import {
  at,
  aws,
  definition,
  deployment,
  ecs,
  failure,
  image,
  play,
  rejection,
  service,
  settle,
} from "./ecs/mock.js"

// Services web and worker of one cluster. 1.3.0 is released; worker fails where a test says so.

type Deployed = ReturnType<typeof deployment>
const letters: Record<string, string> = { "1.1.0": "a", "1.2.0": "b", "1.3.0": "c", "1.4.0": "d" }
const arn = (family: string, number: number) =>
  `arn:aws:ecs:eu-north-1:123456789012:task-definition/${family}:${number}`

let services: Record<string, Deployed[]>
let revisions: { definition: TaskDefinition; tags: { key: string; value: string }[] }[]
let lines: string[]

/** Registers a revision of a service's family, which has the service's name. */
function revision(family: string, version: string): string {
  const number = revisions.filter(it => it.definition.family === family).length + 1
  const taskDefinitionArn = arn(family, number)
  const made = { ...definition(number, letters[version] ?? "e", version), family, taskDefinitionArn }
  const tags = [
    { key: "ecs-release:version", value: version },
    { key: "ecs-release:completed", value: "2025-01-01T00:00:00.000Z" },
  ]
  revisions.push({ definition: made, tags })
  return taskDefinitionArn
}

const primary = (name: string, taskDefinition: string, state: Partial<Deployed> = {}) =>
  deployment(`${name}-${Math.random()}`, 1, { taskDefinition, ...state })

/** The account: each service runs a revision; `onUpdate` decides what becomes of a new deployment. */
function account(running: Record<string, string[]>, onUpdate: (name: string, started: Deployed) => void) {
  const images = Object.fromEntries(
    Object.entries(letters).map(([version, letter]) => [version, `sha256:${letter.repeat(64)}`]),
  )
  play({ before: service([]), definitions: [], images })
  lines = []
  revisions = []
  services = Object.fromEntries(
    Object.entries(running).map(([name, versions]) => {
      const last = versions.map(version => revision(name, version)).at(-1) as string
      return [name, [primary(name, last)]]
    }),
  )
  const describe = (name: string) =>
    service(services[name]?.map(it => ({ ...it })) ?? [], { serviceName: name })
  const find = (wanted = "") =>
    [...revisions]
      .reverse()
      .find(it => [it.definition.taskDefinitionArn, it.definition.family].includes(wanted))
  ecs.on(DescribeServicesCommand).callsFake(input => ({ services: [describe(input.services[0])] }))
  ecs.on(DescribeTaskDefinitionCommand).callsFake(({ taskDefinition }) => {
    const found = find(taskDefinition)
    return { taskDefinition: found?.definition, tags: found?.tags ?? [] }
  })
  ecs.on(ListTaskDefinitionsCommand).callsFake(({ familyPrefix }) => ({
    taskDefinitionArns: revisions.flatMap(({ definition: it }) =>
      it.family === familyPrefix ? it.taskDefinitionArn : [],
    ),
  }))
  ecs.on(RegisterTaskDefinitionCommand).callsFake(({ tags, ...input }) => {
    const number = revisions.filter(it => it.definition.family === input.family).length + 1
    const made = {
      ...input,
      revision: number,
      taskDefinitionArn: arn(input.family, number),
      status: "ACTIVE",
    }
    revisions.push({ definition: made, tags })
    return { taskDefinition: made }
  })
  ecs.on(TagResourceCommand).callsFake(({ resourceArn, tags }) => {
    find(resourceArn)?.tags.push(...tags)
    return {}
  })
  ecs.on(UpdateServiceCommand).callsFake(({ service: name, taskDefinition }) => {
    for (const one of services[name] ?? []) one.status = "ACTIVE"
    const started = primary(name, taskDefinition, { rolloutState: "IN_PROGRESS", createdAt: new Date() })
    services[name] = [started, ...(services[name] ?? [])]
    const answer = { service: describe(name) }
    onUpdate(name, started)
    return answer
  })
}

const later = (seconds: number, then: () => void) => setTimeout(then, seconds * 1000)
const completes = (started: Deployed, seconds = 10) => {
  later(seconds, () => {
    started.rolloutState = "COMPLETED"
  })
}

/** ECS's circuit breaker: the deployment has failed, and the one before is the primary again. */
function rollsBack(name: string, started: Deployed, seconds = 20): void {
  later(seconds, () => {
    Object.assign(started, {
      rolloutState: "FAILED",
      status: "ACTIVE",
      rolloutStateReason: "tasks failed to start",
    })
    const before = services[name]?.find(it => it !== started && it.rolloutState === "COMPLETED")
    const reason = { rolloutStateReason: "ECS deployment circuit breaker: rolling back" }
    services[name] = [primary(name, before?.taskDefinition ?? "", reason), ...(services[name] ?? [])]
  })
}

const versionOf = (taskDefinition?: string) =>
  revisions
    .find(it => it.definition.taskDefinitionArn === taskDefinition)
    ?.definition.containerDefinitions?.[0]?.environment?.find(({ name }) => name === "APP_VERSION")?.value

/** What each service runs. */
const running = () =>
  Object.fromEntries(
    Object.entries(services).map(([name, all]) => [
      name,
      versionOf(all.find(({ status }) => status === "PRIMARY")?.taskDefinition),
    ]),
  )
/** The versions that are noted as rolled back. */
const rolledBack = (name: string) =>
  revisions
    .filter(
      it => it.definition.family === name && it.tags.some(({ key }) => key === "ecs-release:rolled-back"),
    )
    .map(it => versionOf(it.definition.taskDefinitionArn))

const print = (line: string) => {
  lines.push(line)
}
const run = (name: string, extra: object = {}) => ({
  ...{ cluster: "prod", service: name, someContainers: true, image: image("c"), version: "1.3.0" },
  ...{ timeoutSeconds: 600, print, ...extra },
})
const registry = { repository: "web", tagPrefix: "" }
const deployBoth = (extra: object = {}) => deploySet(aws, [run("web", extra), run("worker", extra)], registry)

afterEach(() => {
  vi.useRealTimers()
})

it("reaches all services, and says so for each", async () => {
  account({ web: ["1.2.0"], worker: ["1.2.0"] }, (_, started) => completes(started))
  const ends = await settle(deployBoth())
  expect(ends.map(({ word }) => word)).toEqual(["completed", "completed"])
  expect(running()).toEqual({ web: "1.3.0", worker: "1.3.0" })
  expect(lines).toEqual(
    expect.arrayContaining([expect.stringMatching(/^web: /), expect.stringMatching(/^worker: /)]),
  )
})

it("goes back on the others if one is rolled back", async () => {
  account({ web: ["1.1.0", "1.2.0"], worker: ["1.2.0"] }, (name, started) =>
    name === "worker" ? rollsBack(name, started) : completes(started),
  )
  const error = await rejection(deployBoth())
  expect(error.message).toMatch(
    /^rolled back: 1\.3\.0 did not reach all of web, worker\nworker: rolled back: 1\.3\.0/,
  )
  expect(error.message).toContain("web: went back to 1.2.0")
  expect(running()).toEqual({ web: "1.2.0", worker: "1.2.0" })
  expect(rolledBack("web")).toEqual(["1.3.0"])
})

it("goes back on a service that an interrupted run had finished, too", async () => {
  account({ web: ["1.2.0", "1.3.0"], worker: ["1.2.0"] }, (name, started) =>
    name === "worker" ? rollsBack(name, started) : completes(started),
  )
  const error = await rejection(deployBoth())
  expect(error.message).toContain("web: went back to 1.2.0")
  expect(running()).toEqual({ web: "1.2.0", worker: "1.2.0" })
})

it("and on one whose deployment an interrupted run had started", async () => {
  account({ web: ["1.2.0", "1.3.0"], worker: ["1.2.0"] }, (name, started) =>
    name === "worker" ? rollsBack(name, started) : completes(started),
  )
  const [started] = services.web as [Deployed]
  started.rolloutState = "IN_PROGRESS"
  services.web?.push(primary("web", arn("web", 1), { status: "ACTIVE" }))
  completes(started)
  const error = await rejection(deployBoth())
  expect(error.message).toContain("web: went back to 1.2.0")
  expect(running()).toEqual({ web: "1.2.0", worker: "1.2.0" })
  expect(rolledBack("web")).toEqual(["1.3.0"])
})

it("leaves what is newer by then", async () => {
  account({ web: ["1.2.0"], worker: ["1.2.0"] }, (name, started) =>
    name === "worker" ? rollsBack(name, started, 100) : completes(started),
  )
  later(50, () => {
    services.web = [primary("web", revision("web", "1.4.0"))]
  })
  const error = await rejection(deployBoth())
  expect(error.message).toContain("web: runs 1.4.0 by now, left as it is")
  expect(running()).toEqual({ web: "1.4.0", worker: "1.2.0" })
  expect(rolledBack("web")).toEqual([])
})

it("rolls nothing back if one could not be followed and may still complete", async () => {
  account({ web: ["1.2.0"], worker: ["1.2.0"] }, (_, started) => completes(started, 30))
  const describe = (name: string) =>
    service(services[name]?.map(it => ({ ...it })) ?? [], { serviceName: name })
  ecs.on(DescribeServicesCommand).callsFake(input => {
    const [name] = input.services
    const isDenied = name === "worker" && Date.now() > at(10).getTime() && Date.now() < at(20).getTime()
    if (isDenied) throw failure("AccessDeniedException", "not authorized to perform: ecs:DescribeServices")
    return { services: [describe(name)] }
  })
  const error = await rejection(deployBoth())
  expect(error.message).toMatch(/web: runs 1\.3\.0[\s\S]*→ See 'status'/)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(running()).toEqual({ web: "1.3.0", worker: "1.3.0" })
})

it("is an error if a newer version took over on one service alone", async () => {
  account({ web: ["1.4.0"], worker: ["1.2.0"] }, (_, started) => completes(started))
  const error = await rejection(deployBoth({ keepNewer: true }))
  expect(error.message).toMatch(/did not reach all of web, worker[\s\S]*worker: runs 1\.3\.0/)
  expect(running()).toEqual({ web: "1.4.0", worker: "1.3.0" })
})

it("rollback moves both to one version, and asks for it if they run different ones", async () => {
  const back = (name: string, extra: object = {}) => ({
    cluster: "prod",
    service: name,
    ...registry,
    print,
    ...extra,
  })
  account({ web: ["1.1.0", "1.2.0"], worker: ["1.1.0", "1.2.0"] }, (_, started) => completes(started))
  await settle(rollbackSet(aws, [back("web"), back("worker")]))
  expect(running()).toEqual({ web: "1.1.0", worker: "1.1.0" })
  account({ web: ["1.1.0", "1.2.0"], worker: ["1.1.0", "1.2.0", "1.3.0"] }, (_, started) =>
    completes(started),
  )
  expect((await rejection(rollbackSet(aws, [back("web"), back("worker")]))).message).toMatch(
    /run different versions[\s\S]*web 1\.2\.0, worker 1\.3\.0[\s\S]*→ .*--to/,
  )
  await settle(rollbackSet(aws, [back("web", { to: "1.2.0" }), back("worker", { to: "1.2.0" })]))
  expect(running()).toEqual({ web: "1.2.0", worker: "1.2.0" })
})

it("several services are all waited for, and each has its line if one fails", async () => {
  const all = [{ service: "web" }, { service: "worker" }]
  const work = async ({ service }: { service: string }, print: (line: string) => void) => {
    print("begun")
    if (service === "web") throw new Error("broken")
    return service
  }
  const said: string[] = []
  const error = await onEach(all, line => said.push(line), work).catch((it: Error) => it)
  expect((error as Error).message).toMatch(/^1 of 2 services failed\.\nweb: broken\n/)
  expect(said).toEqual(["web: begun", "worker: begun"])
})
