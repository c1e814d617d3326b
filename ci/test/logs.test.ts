import { FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs"
import { describe, expect, it } from "vitest"
import { logGroupsOf } from "../src/ecs/logs.js"
import { parseTime } from "../src/lib/time.js"
import { readLogs } from "../src/logs.js"
import { at, aws, definition, failure, logs, play, rejection, service, settle } from "./ecs/mock.js"
import { definitions, eachTest, lines, old, target, watch } from "./operate.scene.js"

eachTest()

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
