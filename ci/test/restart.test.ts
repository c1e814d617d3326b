import { RegisterTaskDefinitionCommand, TagResourceCommand, UpdateServiceCommand } from "@aws-sdk/client-ecs"
import { describe, expect, it } from "vitest"
import { restart } from "../src/restart.js"
import { at, aws, deployment, ecs, play, rejection, revision, service, settle } from "./ecs/mock.js"
import { definitions, eachTest, old, target, watch } from "./operate.scene.js"

eachTest()

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

  it("works if somebody has deregistered the task definition that runs", async () => {
    const [{ definition }] = definitions() as [ReturnType<typeof definitions>[number]]
    const done = service([deployment("new", 3, { createdAt: at(1) })])
    const gone = {
      definition: { ...definition, status: "INACTIVE" as const },
      tags: [{ key: "team", value: "web" }],
    }
    play({ before: service([old]), updated: [[0, done]], definitions: [gone] })
    expect(await settle(restart(aws, target, watch))).toMatchObject({ word: "completed", version: "1.1.0" })
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)[0]?.args[0].input).toMatchObject({
      ...{ family: "web", tags: gone.tags, containerDefinitions: definition.containerDefinitions },
    })
    const [update] = ecs.commandCalls(UpdateServiceCommand)
    expect(update?.args[0].input.taskDefinition).toBe(revision(3))
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
