import {
  DescribeServiceDeploymentsCommand,
  DescribeServiceRevisionsCommand,
  ListServiceDeploymentsCommand,
  RegisterTaskDefinitionCommand,
  StopServiceDeploymentCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { Revision } from "../src/revision.js"
import { choosePrevious, rollback, wasRolledBack } from "../src/rollback.js"
import {
  at,
  aws,
  definition,
  deployment,
  ecs,
  image,
  play,
  rejection,
  revision,
  service,
  settle,
  type World,
  where,
} from "./ecs.js"

const digest = (letter: string) => `sha256:${letter.repeat(64)}`
const images = { "1.0.0": digest("a"), "1.1.0": digest("b"), "1.2.0": digest("c") }
const note = (key: string, value = "2025-01-01T00:00:00.000Z") => ({ key: `ecs-release:${key}`, value })
const none = { succeeded: new Set<string>(), failed: new Set<string>() }
const back = (extra: object = {}) => rollback(aws, { ...where, repository: "web", print, ...extra })

let lines: string[]
const print = (line: string) => {
  lines.push(line)
}

beforeEach(() => {
  lines = []
})
afterEach(() => {
  vi.useRealTimers()
})

describe("the version before", () => {
  const one = (number: number, version?: string, extra: Partial<Revision> = {}): Revision => ({
    arn: revision(number),
    number,
    version,
    ...extra,
  })
  const choose = (current: Revision, others: Revision[], past = none) =>
    choosePrevious(current, others, past)?.number

  it("is that of the newest older revision with another version", () => {
    expect(
      choose(one(4, "1.2.0"), [
        one(5, "1.3.0"),
        one(4, "1.2.0"),
        one(3, "1.2.0"),
        one(2, "1.1.0"),
        one(1, "1.0.0"),
      ]),
    ).toBe(2)
  })

  it("is none that was taken back: after a rollback the next one goes further", () => {
    const taken = one(3, "1.2.0", { rolledBack: "2025" })
    expect(choose(one(4, "1.1.0"), [taken, one(2, "1.1.0"), one(1, "1.0.0")])).toBe(1)
  })

  it("is one that completed, before one of which that is not known", () => {
    expect(choose(one(4, "1.3.0"), [one(3, "1.2.0"), one(2, "1.1.0", { completed: "2025" })])).toBe(2)
    expect(
      choose(one(4, "1.3.0"), [one(3, "1.2.0"), one(2, "1.1.0")], {
        ...none,
        succeeded: new Set([revision(2)]),
      }),
    ).toBe(2)
  })

  it("is none that failed, unless it succeeded too", () => {
    const failed = new Set([revision(3)])
    expect(choose(one(4, "1.3.0"), [one(3, "1.2.0"), one(2, "1.1.0")], { ...none, failed })).toBe(2)
    expect(choose(one(4, "1.3.0"), [one(3, "1.2.0")], { succeeded: failed, failed })).toBe(3)
  })

  it("is none whose newest revision was taken back, though an older one was not", () => {
    const taken = one(4, "1.2.0", { rolledBack: "2025" })
    expect(choose(one(5, "1.3.0"), [taken, one(2, "1.2.0", { completed: "2024" }), one(1, "1.1.0")])).toBe(1)
  })

  it("is none without a version", () => {
    expect(choose(one(2, "1.0.0"), [one(1), one(0, "latest")])).toBeUndefined()
  })
})

describe("a rollback", () => {
  const world = (updated?: World["updated"]): World => ({
    before: service([deployment("now", 2, {})]),
    updated: updated ?? [[0, service([deployment("back", 3, {})])]],
    definitions: [
      { definition: definition(1, "a", "1.0.0"), tags: [note("completed")] },
      { definition: definition(2, "b", "1.1.0"), tags: [note("version", "1.1.0"), note("completed")] },
    ],
    images,
  })

  it("deploys the version before by its digest in ECR, from the current task definition", async () => {
    const scene = world()
    const [, current] = scene.definitions
    if (current) current.definition.cpu = "1024"
    play(scene)
    const outcome = await settle(back())
    expect(outcome.text).toMatch(/^completed: prod\/web runs 1\.0\.0/)
    const sent = ecs.commandCalls(RegisterTaskDefinitionCommand)[0]?.args[0].input
    expect(sent).toMatchObject({ cpu: "1024", containerDefinitions: [{ image: image("a") }] })
    expect(sent?.tags).toContainEqual({ key: "ecs-release:commit", value: "c".repeat(40) })
    expect(lines).toContain("going from 1.1.0 to 1.0.0")
  })

  it("notes first that the version was taken back", async () => {
    play(world())
    await settle(back())
    const calls = ecs.calls().map(call => call.args[0])
    const noted = calls.findIndex(
      it => it instanceof TagResourceCommand && it.input.tags?.[0]?.key === "ecs-release:rolled-back",
    )
    expect(calls[noted]?.input).toMatchObject({ resourceArn: revision(2) })
    expect(noted).toBeLessThan(calls.findIndex(it => it instanceof UpdateServiceCommand))
  })

  it("that ECS takes back itself leaves no note on the version that stays", async () => {
    const failed = { rolloutState: "FAILED", status: "ACTIVE" } as const
    const script: World["updated"] = [
      [0, service([deployment("back", 3, { rolloutState: "IN_PROGRESS" })])],
      [5, service([deployment("stay", 2, {}), deployment("back", 3, failed)])],
    ]
    play(world(script))
    expect((await rejection(back())).message).toMatch(
      /^rolled back: 1\.0\.0 failed on prod\/web.*1\.1\.0 \(web:2\) serves/,
    )
    expect(ecs.commandCalls(UntagResourceCommand).map(call => call.args[0].input)).toEqual([
      { resourceArn: revision(2), tagKeys: ["ecs-release:rolled-back"] },
    ])
  })

  it("goes to a named version; a newer one takes nothing back", async () => {
    play(world())
    await expect(settle(back({ to: "1.2.0" }))).resolves.toMatchObject({ version: "1.2.0" })
    const noted = ecs.commandCalls(TagResourceCommand).map(call => call.args[0].input.tags?.[0]?.key)
    expect(noted).not.toContain("ecs-release:rolled-back")
  })

  it("leaves a service alone that runs the named version", async () => {
    play(world())
    await expect(settle(back({ to: "1.1.0" }))).resolves.toMatchObject({ word: "unchanged" })
  })

  it("says where a version is not in ECR", async () => {
    play(world())
    expect((await rejection(back({ to: "9.9.9" }))).message).toMatch(
      /^The image is not in the ECR repository "web".*'history'/s,
    )
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
  })

  it("says where there is no version before", async () => {
    const scene = world()
    scene.definitions.shift()
    play(scene)
    expect((await rejection(back())).message).toMatch(
      /^There is no version before 1\.1\.0 on prod\/web\..*--to/s,
    )
  })
})

describe("a rollback during a deployment", () => {
  const busy = deployment("busy", 2, { rolloutState: "IN_PROGRESS", runningCount: 1 })
  const old = deployment("old", 1, { status: "ACTIVE" })
  const world = (): World => ({
    before: service([busy, old]),
    updated: [[0, service([deployment("back", 1, {})])]],
    definitions: [
      { definition: definition(1, "a", "1.0.0"), tags: [note("completed")] },
      { definition: definition(2, "b", "1.1.0"), tags: [note("version", "1.1.0")] },
    ],
    images,
  })
  const native = "arn:aws:ecs:eu-north-1:123456789012:service-deployment/prod/web/abc"

  it("brings the revision before back where ECS cannot stop a deployment", async () => {
    play(world())
    const outcome = await settle(back())
    expect(outcome).toMatchObject({ word: "completed", version: "1.0.0", revision: revision(1) })
    expect(ecs.commandCalls(UpdateServiceCommand)[0]?.args[0].input.taskDefinition).toBe(revision(1))
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
    expect(lines[0]).toBe("stopping deployment ecs-svc/busy of 1.1.0; going back to 1.0.0")
  })

  it("has ECS stop it where ECS can, and waits until the old version runs", async () => {
    const scene = world()
    play(scene)
    ecs.on(ListServiceDeploymentsCommand).resolves({
      serviceDeployments: [
        { serviceDeploymentArn: native, targetServiceRevisionArn: "r2", createdAt: at(0) },
      ],
    })
    ecs.on(DescribeServiceRevisionsCommand).resolves({
      serviceRevisions: [{ serviceRevisionArn: "r2", taskDefinition: revision(2) }],
    })
    ecs.on(DescribeServiceDeploymentsCommand).callsFake(() => {
      const done = Date.now() >= at(15).getTime()
      return { serviceDeployments: [{ status: done ? "ROLLBACK_SUCCESSFUL" : "ROLLBACK_IN_PROGRESS" }] }
    })
    ecs.on(StopServiceDeploymentCommand).callsFake(() => {
      scene.before = service([
        deployment("back", 1, { rolloutState: "IN_PROGRESS" }),
        { ...busy, status: "ACTIVE" },
      ])
      return { serviceDeploymentArn: native }
    })
    const outcome = await settle(back())
    expect(outcome.text).toMatch(/^completed: stopped 1\.1\.0; prod\/web runs 1\.0\.0 again, after 1\d s$/)
    expect(ecs.commandCalls(StopServiceDeploymentCommand)[0]?.args[0].input).toEqual({
      serviceDeploymentArn: native,
      stopType: "ROLLBACK",
    })
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
    expect(lines.join("\n")).toContain("service deployment: ROLLBACK_IN_PROGRESS")
  })

  it("follows the rollback that ECS has begun itself", async () => {
    const scene = world()
    const rolling = deployment("back", 1, {
      rolloutState: "IN_PROGRESS",
      rolloutStateReason: "rolling back to deploymentId",
    })
    scene.before = service([rolling, { ...busy, status: "ACTIVE", rolloutState: "FAILED" }])
    play(scene)
    setTimeout(() => {
      scene.before = service([deployment("back", 1, {})])
    }, 20_000)
    await expect(settle(back())).resolves.toMatchObject({ word: "completed", version: "1.0.0" })
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
    expect(lines[0]).toBe("ECS is going back to 1.0.0 already; following it")
  })

  it("to another version than the one before replaces the deployment", async () => {
    const scene = world()
    scene.updated = [[0, service([deployment("third", 3, {})])]]
    play(scene)
    await expect(settle(back({ to: "1.2.0" }))).resolves.toMatchObject({ version: "1.2.0" })
    expect(ecs.commandCalls(StopServiceDeploymentCommand)).toHaveLength(0)
  })
})

describe("whether a version was rolled back", () => {
  const ask = (version: string) => settle(wasRolledBack(aws, { ...where, version }))
  const world = (
    tags: { key: string; value: string }[],
    before = service([deployment("now", 1, {})]),
  ): World => ({
    before,
    definitions: [
      { definition: definition(1, "a", "1.0.0") },
      { definition: definition(2, "b", "1.1.0"), tags },
    ],
  })

  it("goes by the note on its newest revision", async () => {
    play(world([note("rolled-back")]))
    expect(await ask("1.1.0")).toMatchObject({
      revision: revision(2),
      why: "1.1.0 was rolled back at 2025-01-01T00:00:00.000Z",
    })
  })

  it("goes by ECS's list where the run that should have noted it was killed", async () => {
    const failed = deployment("bad", 2, { status: "ACTIVE", rolloutState: "FAILED" })
    play(world([], service([deployment("now", 1, {}), failed])))
    expect((await ask("1.1.0"))?.why).toBe("ECS rolled 1.1.0 back when its deployment failed")
  })

  it("goes by ECS's record", async () => {
    play(world([]))
    ecs.on(ListServiceDeploymentsCommand).resolves({
      serviceDeployments: [{ status: "ROLLBACK_SUCCESSFUL", targetServiceRevisionArn: "r2" }],
    })
    ecs.on(DescribeServiceRevisionsCommand).resolves({
      serviceRevisions: [{ serviceRevisionArn: "r2", taskDefinition: revision(2) }],
    })
    expect((await ask("1.1.0"))?.why).toContain("ECS rolled 1.1.0 back")
  })

  it("is no where it runs, was registered only, or is not known", async () => {
    play(world([note("rolled-back")]))
    expect(await ask("1.0.0")).toBeUndefined()
    expect(await ask("3.0.0")).toBeUndefined()
    play(world([]))
    expect(await ask("1.1.0")).toBeUndefined()
  })

  it("is no where it was deployed again and then replaced by a newer one", async () => {
    const scene = world([note("rolled-back")])
    scene.definitions.push(
      { definition: definition(3, "b", "1.1.0"), tags: [note("completed")] },
      { definition: definition(4, "c", "1.2.0") },
    )
    scene.before = service([deployment("now", 4, {})])
    play(scene)
    expect(await ask("1.1.0")).toBeUndefined()
  })
})
