import { TagResourceCommand, UpdateServiceCommand } from "@aws-sdk/client-ecs"
import { afterEach, describe, expect, it, vi } from "vitest"
import { restart } from "../src/restart.js"
import { at, aws, definition, deployment, ecs, play, rejection, service, settle, where } from "./ecs/mock.js"

const lines: string[] = []
const watch = { timeoutSeconds: 60, print: (line: string) => lines.push(line) }
const target = { ...where, someContainers: false }
const definitions = () => [{ definition: definition(2, "b", "1.1.0") }]
const old = deployment("old", 2, {})

afterEach(() => {
  vi.useRealTimers()
  lines.length = 0
})

describe("restart", () => {
  const fresh = deployment("new", 2, { rolloutState: "IN_PROGRESS", runningCount: 0, createdAt: at(1) })

  it("brings new tasks of the same task definition", async () => {
    const done = service([{ ...fresh, rolloutState: "COMPLETED", runningCount: 2 }])
    const updated: [number, typeof done][] = [
      [0, service([fresh, { ...old, status: "ACTIVE" }])],
      [5, done],
    ]
    play({ before: service([old]), updated, definitions: definitions() })
    expect(await settle(restart(aws, target, watch))).toMatchObject({ word: "completed", version: "1.1.0" })
    const [update] = ecs.commandCalls(UpdateServiceCommand)
    expect(update?.args[0].input).toMatchObject({ forceNewDeployment: true })
  })

  it("that fails leaves no note: the version that runs is the one from before", async () => {
    const failed = { ...fresh, status: "ACTIVE", rolloutState: "FAILED" as const, failedTasks: 3 }
    const updated: [number, ReturnType<typeof service>][] = [
      [0, service([fresh, { ...old, status: "ACTIVE" }])],
      [5, service([old, failed])],
    ]
    play({ before: service([old]), updated, definitions: definitions() })
    expect((await rejection(restart(aws, target, watch))).message).toMatch(/^rolled back: 1\.1\.0 failed/)
    expect(ecs.commandCalls(TagResourceCommand)).toEqual([])
  })

  it("leaves a deployment that is in progress alone", async () => {
    play({ before: service([fresh, { ...old, status: "ACTIVE" }]), definitions: definitions() })
    expect((await rejection(restart(aws, target, watch))).message).toMatch(
      /is not restarted: deployment ecs-svc\/new/,
    )
    expect(ecs.commandCalls(UpdateServiceCommand)).toEqual([])
  })
})
