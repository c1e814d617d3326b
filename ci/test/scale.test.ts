import { UpdateServiceCommand } from "@aws-sdk/client-ecs"
import { describe, expect, it } from "vitest"
import { scale } from "../src/scale.js"
import { at, aws, deployment, ecs, play, rejection, service, settle, stoppedTask } from "./ecs/mock.js"
import { definitions, eachTest, lines, old, target, watch } from "./operate.scene.js"

eachTest()

describe("scale", () => {
  const running = (count: number) =>
    service([{ ...old, runningCount: count }], {
      desiredCount: 3,
      runningCount: count,
      pendingCount: 3 - count,
    })
  const run = (to: number) => scale(aws, target, { ...watch, to })

  it("waits until that many tasks run", async () => {
    play({
      before: service([old]),
      updated: [
        [0, running(2)],
        [8, running(3)],
      ],
      definitions: definitions(),
    })
    expect(await settle(run(3))).toMatch(/^completed: prod\/web runs 3 tasks, after (8|9|1\d) s$/)
    expect(lines).toEqual(["prod/web: from 2 to 3 tasks", "prod/web: 2 of 3 running, 1 pending"])
    expect(ecs.commandCalls(UpdateServiceCommand)[0]?.args[0].input).toEqual({
      ...{ cluster: "prod", service: "web" },
      desiredCount: 3,
    })
  })

  it("does not count the tasks of a deployment that is being replaced, and sees who else sets the number", async () => {
    const both = service(
      [{ ...old, runningCount: 2 }, deployment("older", 1, { status: "ACTIVE", runningCount: 1 })],
      {
        ...{ desiredCount: 3, runningCount: 3 },
      },
    )
    const other = service([{ ...old, runningCount: 8 }], { desiredCount: 8, runningCount: 8 })
    play({
      before: service([old]),
      updated: [
        [0, both],
        [10, other],
      ],
      definitions: definitions(),
    })
    expect((await rejection(run(3))).message).toMatch(/^prod\/web is set to 8 tasks by something else\./)
  })

  it("is not misled by an answer from before the update", async () => {
    play({
      before: service([old]),
      updated: [
        [0, service([old])],
        [5, running(3)],
      ],
      definitions: definitions(),
    })
    expect(await settle(run(3))).toMatch(/^completed: prod\/web runs 3 tasks/)
  })

  it("refuses a daemon", async () => {
    play({ before: service([old], { schedulingStrategy: "DAEMON" }), definitions: definitions() })
    expect((await rejection(run(3))).message).toMatch(/^prod\/web is a daemon/)
  })

  it("changes nothing if that many run already", async () => {
    play({ before: service([old]), definitions: definitions() })
    expect(await settle(run(2))).toMatch(/^unchanged: prod\/web runs 2 tasks/)
    expect(ecs.commandCalls(UpdateServiceCommand)).toEqual([])
  })

  it("says why they do not run in time", async () => {
    const stopped = [stoppedTask("abc", 2, { createdAt: at(3) })]
    play({
      before: service([old]),
      updated: [[0, running(2)]],
      definitions: definitions(),
      stopped,
      logLines: ["no queue"],
    })
    const { message } = await rejection(run(3))
    expect(message).toMatch(/^timed out: prod\/web does not run 3 tasks: 2 of 3 running, 1 pending\./)
    expect(message).toContain("Essential container in task exited")
    expect(message).toContain("no queue")
  })
})
