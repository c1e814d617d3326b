import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge"
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns"
import { mockClient } from "aws-sdk-client-mock"
import { Webhook } from "standardwebhooks"
import { describe, expect, test } from "vitest"
import { type Announcement, Announcer, type Listener } from "../../src/announce/announcer.js"
import { awsListener, isNotifyArn } from "../../src/announce/aws.js"
import { webhookListener } from "../../src/announce/webhook.js"
import { UserError } from "../../src/lib/errors.js"
import { aws } from "../ecs/mock.js"
import { standIn } from "../publish/stand-in.js"

const subject = {
  ...{
    action: "release",
    version: "1.2.0",
    commit: "a".repeat(40),
    services: ["prod/web"],
    region: "eu-north-1",
  },
}
const announcement: Announcement = {
  ...subject,
  ...{ state: "rolled back", text: "rolled back: 1.2.0 failed <on> prod/web", time: new Date(0) },
}

const { signal } = new AbortController()

/** A listener that keeps what it is told. */
const keeping = () => {
  const told: string[] = []
  const listener: Listener = {
    name: "x",
    tell: async ({ state, version }) => void told.push(`${state} ${version}`),
  }
  return { told, listener }
}

describe("what is announced, and when", () => {
  test("the start and the end, in order; nothing if it never started", async () => {
    const { told, listener } = keeping()
    const announcer = new Announcer([listener], () => {})
    await announcer.around(
      async () => {},
      () => ({ state: "nothing", text: "" }),
    )
    expect(told).toEqual([])
    announcer.start(subject)
    announcer.about({ version: "1.2.1", commit: "b" })
    await announcer.around(
      async () => {},
      () => ({ state: "completed", text: "completed: …" }),
    )
    expect(told).toEqual(["started 1.2.0", "completed 1.2.1"])
  })

  test.each([
    ["rolled back: 1.2.0 failed on prod/web", "rolled back"],
    ["superseded: another", "superseded"],
    ["timed out after 900 s", "timed out"],
    ["The image is not in the ECR repository", "failed"],
  ])("the error %s ends as %s", async (text, state) => {
    const { told, listener } = keeping()
    const announcer = new Announcer([listener], () => {})
    announcer.start(subject)
    const work = announcer.around(
      () => Promise.reject(new UserError(text)),
      () => ({ state: "completed", text: "" }),
    )
    await expect(work).rejects.toThrow(text)
    expect(told).toEqual(["started 1.2.0", `${state} 1.2.0`])
  })

  test("nothing for a version that already runs, or for a mistake; only the end if it was in progress", async () => {
    const { told, listener } = keeping()
    const about = async (state: string) => {
      const announcer = new Announcer([listener], () => {})
      announcer.expect(subject)
      await announcer.around(
        async () => {},
        () => ({ state, text: "" }),
      )
    }
    for (const state of ["unchanged", "nothing", "completed", "paused"]) await about(state)
    const announcer = new Announcer([listener], () => {})
    announcer.expect(subject)
    const mistake = announcer.around(
      () => Promise.reject(new UserError("No such image.")),
      () => ({ state: "", text: "" }),
    )
    await expect(mistake).rejects.toThrow()
    expect(told).toEqual(["completed 1.2.0", "paused 1.2.0"])
  })

  test("work that another run did in the meantime ends well, and another commit ends the first announcement", async () => {
    const { told, listener } = keeping()
    const announcer = new Announcer([listener], () => {})
    announcer.start(subject)
    announcer.expect({ ...subject, version: "1.1.0", commit: "c".repeat(40) })
    announcer.start()
    await announcer.around(
      async () => {},
      () => ({ state: "nothing", text: "" }),
    )
    expect(told).toEqual(["started 1.2.0", "superseded 1.2.0", "started 1.1.0", "unchanged 1.1.0"])
  })

  test("for an error, what happened and why, but not the application's log", async () => {
    const texts: string[] = []
    const announcer = new Announcer(
      [{ name: "x", tell: async ({ text }) => void texts.push(text) }],
      () => {},
    )
    announcer.start(subject)
    const error = new UserError(
      "rolled back: 1.2.0",
      "ECS: the circuit breaker\n  | password=hunter2",
      "Fix it.",
    )
    await expect(
      announcer.around(
        () => Promise.reject(error),
        () => ({ state: "", text: "" }),
      ),
    ).rejects.toThrow()
    expect(texts).toEqual(["", "rolled back: 1.2.0\nECS: the circuit breaker"])
  })

  test("a failing listener causes a warning, and the others still get the message", async () => {
    const { told, listener } = keeping()
    const lines: string[] = []
    const failing: Listener = {
      name: "the webhook at example.com",
      tell: () => Promise.reject(new Error("no\nanswer")),
    }
    const announcer = new Announcer([failing, listener], line => lines.push(line))
    announcer.start(subject)
    expect(
      await announcer.around(
        async () => 7,
        () => ({ state: "paused", text: "" }),
      ),
    ).toBe(7)
    expect(told).toEqual(["started 1.2.0", "paused 1.2.0"])
    expect(lines).toEqual(Array(2).fill("warning: could not notify the webhook at example.com: no answer"))
  })
})

describe("a webhook", () => {
  test("gets JSON, signed as Standard Webhooks specifies", async () => {
    const receiver = await standIn(() => [204])
    await webhookListener(receiver.url, "a secret").tell(announcement, signal)
    const [{ headers, text }] = receiver.asked as unknown as [
      { headers: Record<string, string>; text: string },
    ]
    const verified = new Webhook("a secret", { format: "raw" }).verify(text, headers)
    expect(verified).toMatchObject({
      ...{
        schema: "ecs-release/v1",
        kind: "notification",
        action: "release",
        state: "rolled back",
        version: "1.2.0",
      },
    })
    expect(() => new Webhook("another", { format: "raw" }).verify(text, headers)).toThrow()
    await receiver.close()
  })

  test("that refuses is named only by its host: its path is a secret", async () => {
    const receiver = await standIn(() => [500])
    const listener = webhookListener(`${receiver.url}/services/T0/B0/secret-part`, "")
    expect(listener.name).toBe("the webhook at 127.0.0.1")
    await expect(listener.tell(announcement, signal)).rejects.toThrow(/^it answered 500$/)
    expect(receiver.asked[0]?.headers["webhook-signature"]).toBeUndefined()
    await receiver.close()
    await expect(listener.tell(announcement, signal)).rejects.toThrow(/^ECONNREFUSED$/)
  })

  test("redirects are not followed to another host", async () => {
    const receiver = await standIn(() => [302])
    await expect(webhookListener(receiver.url, "s").tell(announcement, signal)).rejects.toThrow(
      /answered 302/,
    )
    expect(receiver.asked).toHaveLength(1)
    await receiver.close()
  })

  test("with a secret in the form of Standard Webhooks is signed with the decoded secret", async () => {
    const receiver = await standIn(() => [204])
    const secret = `whsec_${Buffer.from("0123456789012345678901234567").toString("base64")}`
    await webhookListener(receiver.url, secret).tell(announcement, signal)
    const [{ headers, text }] = receiver.asked as unknown as [
      { headers: Record<string, string>; text: string },
    ]
    expect(new Webhook(secret).verify(text, headers)).toBeDefined()
    await receiver.close()
  })

  test("that fails for a moment is tried once more, with the same ID", async () => {
    let asked = 0
    const receiver = await standIn(() => [++asked === 1 ? 503 : 204])
    await webhookListener(receiver.url, "").tell(announcement, signal)
    expect(new Set(receiver.asked.map(({ headers }) => headers["webhook-id"])).size).toBe(1)
    expect(receiver.asked).toHaveLength(2)
    await receiver.close()
  })

  test.each([
    "",
    "https://user:password@example.com/",
    "not a url",
    "http://example.com/x",
    "ftp://example.com",
    "file:///etc/passwd",
  ])("%o is none", address => {
    expect(() => webhookListener(address, "")).toThrow(/--webhook is not the URL/)
  })

  test("Slack gets a text, with what Slack would read as markup escaped", async () => {
    const sent: string[] = []
    const real = globalThis.fetch
    globalThis.fetch = async (_, init) => {
      sent.push(String(init?.body))
      return new Response("ok")
    }
    try {
      await webhookListener("https://hooks.slack.com/services/T0/B0/x", "").tell(announcement, signal)
    } finally {
      globalThis.fetch = real
    }
    const { text, ...rest } = JSON.parse(sent[0] ?? "")
    expect(rest).toEqual({})
    expect(text).toMatch(/^:rewind: \*1\.2\.0 on prod\/web: release rolled back\*\n/)
    expect(text).toContain("failed &lt;on&gt; prod/web")
  })
})

describe("AWS", () => {
  const topic = "arn:aws:sns:eu-west-1:111122223333:releases"
  const bus = "arn:aws:events:eu-north-1:111122223333:event-bus/releases"

  test("a topic gets the JSON, in the topic's own region", async () => {
    const sns = mockClient(SNSClient)
    sns.on(PublishCommand).callsFake(async (_, getClient) => {
      expect(await getClient().config.region()).toBe("eu-west-1")
      return { MessageId: "1" }
    })
    await awsListener(async () => aws, topic).tell({ ...announcement, stage: "production" }, signal)
    const { input } = sns.commandCalls(PublishCommand)[0]?.args[0] ?? {}
    expect(input).toMatchObject({
      TopicArn: topic,
      Subject: "1.2.0 on production (prod/web): release rolled back",
      MessageAttributes: { state: { DataType: "String", StringValue: "rolled back" } },
    })
    expect(JSON.parse(input?.Message ?? "")).toMatchObject({ kind: "notification", version: "1.2.0" })
  })

  test("a bus gets an event; one that it refuses is an error", async () => {
    const events = mockClient(EventBridgeClient)
    events.on(PutEventsCommand).resolvesOnce({ FailedEntryCount: 0 })
    await awsListener(async () => aws, bus).tell(announcement, signal)
    const [entry] = events.commandCalls(PutEventsCommand)[0]?.args[0].input.Entries ?? []
    expect(entry).toMatchObject({
      EventBusName: bus,
      Source: "ecs-release",
      DetailType: "ECS Release State Change",
    })
    expect(JSON.parse(entry?.Detail ?? "")).toMatchObject({ state: "rolled back", services: ["prod/web"] })
    events
      .on(PutEventsCommand)
      .resolves({ FailedEntryCount: 1, Entries: [{ ErrorCode: "NotAuthorized", ErrorMessage: "no" }] })
    await expect(awsListener(async () => aws, bus).tell(announcement, signal)).rejects.toThrow(
      "NotAuthorized: no",
    )
  })

  test.each([
    [topic, true],
    [bus, true],
    ["arn:aws:sns:eu-west-1:111122223333:releases.fifo", false],
    ["arn:aws:events:eu-west-1:111122223333:rule/x", false],
    ["arn:aws:sqs:eu-west-1:111122223333:x", false],
    ["releases", false],
  ])("%s: %s", (arn, isOne) => expect(isNotifyArn(arn)).toBe(isOne))
})
