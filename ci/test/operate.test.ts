import { FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs"
import { TagResourceCommand, UpdateServiceCommand } from "@aws-sdk/client-ecs"
import { afterEach, describe, expect, it, vi } from "vitest"
import { logGroupsOf } from "../src/ecs/logs.js"
import { parseTime } from "../src/lib/time.js"
import { readLogs } from "../src/logs.js"
import { restart } from "../src/restart.js"
import { scale } from "../src/scale.js"
import { onEach } from "../src/service-set.js"
import {
  at,
  aws,
  definition,
  deployment,
  ecs,
  failure,
  logs,
  play,
  rejection,
  service,
  settle,
  stoppedTask,
  where,
} from "./ecs/mock.js"

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

describe("logs", () => {
  const event = (seconds: number, message: string, stream = "app/app/0123456789abcdef") => ({
    ...{ eventId: `${seconds}${message}`, timestamp: at(seconds).getTime(), message, logStreamName: stream },
  })
  const read = async (followSeconds = 0) => {
    await settle(readLogs(aws, target, { since: at(-60), followSeconds, print: watch.print }))
    return lines
  }

  it("are those of the task definition's containers, the oldest first", async () => {
    play({ before: service([old]), definitions: definitions() })
    logs
      .on(FilterLogEventsCommand)
      .resolvesOnce({ events: [event(2, "two\n")], nextToken: "more" })
      .resolvesOnce({
        events: [
          event(1, "one"),
          event(3, "another's", "other/app/1"),
          event(4, "a sidecar's", "app/proxy/1"),
        ],
      })
    expect(await read()).toEqual([
      "2025-01-01T00:00:01.000Z 01234567 app  one",
      "2025-01-01T00:00:02.000Z 01234567 app  two",
    ])
    expect(logs.commandCalls(FilterLogEventsCommand)[0]?.args[0].input).toMatchObject({
      ...{ logGroupName: "/web", logStreamNamePrefix: "app/", startTime: at(-60).getTime() },
    })
  })

  it("keep printing new lines, each once, even if AWS does not answer for a moment", async () => {
    play({ before: service([old]), definitions: definitions() })
    logs
      .on(FilterLogEventsCommand)
      .resolvesOnce({ events: [event(1, "one")] })
      .rejectsOnce(failure("ThrottlingException", "slow down"))
      .resolves({ events: [event(1, "one"), event(0, "late"), event(5, "five")] })
    expect((await read(10)).map(line => line.split("  ")[1])).toEqual(["one", "late", "five"])
  })

  it("are empty before the group exists; logs that go elsewhere are an error", async () => {
    play({ before: service([old]), definitions: definitions() })
    logs.on(FilterLogEventsCommand).rejects(failure("ResourceNotFoundException", "no group"))
    expect(await read()).toEqual([])
    const [container] = definition(2, "b", "1.1.0").containerDefinitions ?? []
    play({
      before: service([old]),
      definitions: [
        {
          definition: definition(2, "b", "1", {
            containerDefinitions: [{ ...container, logConfiguration: undefined }],
          }),
        },
      ],
    })
    expect(
      (await rejection(readLogs(aws, target, { since: at(0), followSeconds: 0, print: watch.print })))
        .message,
    ).toMatch(/^prod\/web sends no logs to CloudWatch Logs\./)
  })

  it("of several containers are found by their own names", () => {
    const container = (name: string, prefix: string) => ({
      name,
      logConfiguration: {
        logDriver: "awslogs" as const,
        options: { "awslogs-group": "/g", "awslogs-stream-prefix": prefix },
      },
    })
    const [group, ...others] = logGroupsOf([container("a.b", "x"), container("c", "y")])
    expect(others).toEqual([])
    expect(group?.prefix).toBeUndefined()
    expect(["x/a.b/1", "y/c/2", "x/a-b/1", "x/c/1"].map(name => group?.pattern.test(name))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  it.each([
    ["10m", "2025-01-01T11:50:00.000Z"],
    ["2h", "2025-01-01T10:00:00.000Z"],
    ["1d", "2024-12-31T12:00:00.000Z"],
    ["2025-01-01T01:02:03Z", "2025-01-01T01:02:03.000Z"],
  ])("since %s", (text, time) => {
    expect(parseTime(text, "--since", new Date("2025-01-01T12:00:00Z")).toISOString()).toBe(time)
  })

  it.each(["", "yesterday", "10", "-5m", "5 m", "2025-99-99"])("since %j is refused", text => {
    expect(() => parseTime(text, "--since")).toThrow(/^--since does not accept/)
  })
})

describe("several services", () => {
  it("are all waited for, and each has its line if one fails", async () => {
    const all = [{ service: "web" }, { service: "worker" }]
    const work = async ({ service }: { service: string }, print: (line: string) => void) => {
      print("begun")
      if (service === "web") throw new Error("broken")
      return service
    }
    const error = await onEach(all, watch.print, work).catch((it: Error) => it)
    expect((error as Error).message).toMatch(/^1 of 2 services failed\.\nweb: broken\n/)
    expect(lines).toEqual(["web: begun", "worker: begun"])
  })
})
