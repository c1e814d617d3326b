import { DescribeImagesCommand } from "@aws-sdk/client-ecr"
import {
  RegisterTaskDefinitionCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { Revision } from "../src/ecs/revision.js"
import { choosePrevious, rollback } from "../src/rollback.js"
import {
  aws,
  definition,
  deployment,
  ecr,
  ecs,
  image,
  play,
  rejection,
  revision,
  service,
  settle,
  type World,
  where,
} from "./ecs/mock.js"

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

describe("an image", () => {
  const world = (image?: string): World => ({
    before: service([deployment("now", 2, {})]),
    updated: [[0, service([deployment("back", 3, { createdAt: new Date(Date.UTC(2025, 0, 1)) })])]],
    definitions: [
      { definition: definition(1, "a", "1.0.0", image ? { containerDefinitions: [withImage(image)] } : {}) },
      { definition: definition(2, "b", "1.1.0") },
    ],
    images,
  })
  const withImage = (name: string) => ({
    name: "app",
    image: name,
    environment: [{ name: "APP_VERSION", value: "1.0.0" }],
  })
  const registered = () =>
    ecs.commandCalls(RegisterTaskDefinitionCommand)[0]?.args[0].input.containerDefinitions?.[0]?.image

  it("of a repository of the same name in another account or region stays that one", async () => {
    const pulled = `999999999999.dkr.ecr.us-east-1.amazonaws.com/web@${digest("a")}`
    play(world(pulled))
    await settle(back())
    expect(registered()).toBe(pulled)
  })

  it("that is archived is refused, with what restores it", async () => {
    play(world())
    ecr.on(DescribeImagesCommand).resolves({
      imageDetails: [{ imageDigest: digest("a"), imageTags: ["1.0.0"], imageStatus: "ARCHIVED" }],
    })
    expect((await rejection(back())).message).toMatch(
      /is ARCHIVED: ECS cannot pull it\.\n→ Restore it: aws ecr update-image-storage-class/,
    )
    expect(ecs.commandCalls(UpdateServiceCommand)).toEqual([])
  })
})

describe("the previous version", () => {
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

  it("is never one that was rolled back: after a rollback the next one goes further back", () => {
    const taken = one(3, "1.2.0", { rolledBack: "2025" })
    expect(choose(one(4, "1.1.0"), [taken, one(2, "1.1.0"), one(1, "1.0.0")])).toBe(1)
  })

  it("is one that completed, ahead of one for which that is unknown", () => {
    expect(choose(one(4, "1.3.0"), [one(3, "1.2.0"), one(2, "1.1.0", { completed: "2025" })])).toBe(2)
    expect(
      choose(one(4, "1.3.0"), [one(3, "1.2.0"), one(2, "1.1.0")], {
        ...none,
        succeeded: new Set([revision(2)]),
      }),
    ).toBe(2)
  })

  it("is never one that failed, unless it succeeded too", () => {
    const failed = new Set([revision(3)])
    expect(choose(one(4, "1.3.0"), [one(3, "1.2.0"), one(2, "1.1.0")], { ...none, failed })).toBe(2)
    expect(choose(one(4, "1.3.0"), [one(3, "1.2.0")], { succeeded: failed, failed })).toBe(3)
  })

  it("is never one whose newest revision was rolled back, even if an older one was not", () => {
    const taken = one(4, "1.2.0", { rolledBack: "2025" })
    expect(choose(one(5, "1.3.0"), [taken, one(2, "1.2.0", { completed: "2024" }), one(1, "1.1.0")])).toBe(1)
  })

  it("is never one without a version", () => {
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

  it("deploys the previous version by its digest in ECR, from the current task definition", async () => {
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

  it("notes first that the version was rolled back", async () => {
    play(world())
    await settle(back())
    const calls = ecs.calls().map(call => call.args[0])
    const noted = calls.findIndex(
      it => it instanceof TagResourceCommand && it.input.tags?.[0]?.key === "ecs-release:rolled-back",
    )
    expect(calls[noted]?.input).toMatchObject({ resourceArn: revision(2) })
    expect(noted).toBeLessThan(calls.findIndex(it => it instanceof UpdateServiceCommand))
  })

  it("that ECS itself rolls back leaves no note on the version that stays", async () => {
    const failed = { rolloutState: "FAILED", status: "ACTIVE" } as const
    const script: World["updated"] = [
      [0, service([deployment("back", 3, { rolloutState: "IN_PROGRESS" })])],
      [5, service([deployment("stay", 2, {}), deployment("back", 3, failed)])],
    ]
    play(world(script))
    expect((await rejection(back())).message).toMatch(
      /^rolled back: 1\.0\.0 failed on prod\/web.*1\.1\.0 \(web:2\) is live/,
    )
    expect(ecs.commandCalls(UntagResourceCommand).map(call => call.args[0].input)).toEqual([
      { resourceArn: revision(2), tagKeys: ["ecs-release:rolled-back"] },
    ])
  })

  it("goes to a named version; a newer one rolls nothing back", async () => {
    play(world())
    await expect(settle(back({ to: "1.2.0" }))).resolves.toMatchObject({ version: "1.2.0" })
    const noted = ecs.commandCalls(TagResourceCommand).map(call => call.args[0].input.tags?.[0]?.key)
    expect(noted).not.toContain("ecs-release:rolled-back")
  })

  it("leaves alone a service that runs the named version", async () => {
    play(world())
    await expect(settle(back({ to: "1.1.0" }))).resolves.toMatchObject({ word: "unchanged" })
  })

  it("says so if a version is not in ECR", async () => {
    play(world())
    expect((await rejection(back({ to: "9.9.9" }))).message).toMatch(
      /^The image is not in the ECR repository "web".*'history'/s,
    )
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
  })

  it("says so if there is no previous version", async () => {
    const scene = world()
    scene.definitions.shift()
    play(scene)
    expect((await rejection(back())).message).toMatch(
      /^There is no version before 1\.1\.0 on prod\/web\..*--to/s,
    )
  })
})
