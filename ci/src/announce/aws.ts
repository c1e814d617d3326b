import { type Aws, eventBridge, sns } from "../aws/clients.js"
import type { Announcement, Listener } from "./announcer.js"
import { bodyOf, titleOf } from "./body.js"

/** Whether a text is the ARN of a topic or of an event bus. */
export function isNotifyArn(text: string): boolean {
  return parse(text) !== undefined
}

function parse(text: string): { service: "sns" | "events"; region: string } | undefined {
  const [, service, region] =
    /^arn:aws[a-z-]*:(sns|events):([a-z0-9-]+):\d{12}:(?:[\w-]{1,256}|event-bus\/[\w./-]{1,256})$/.exec(
      text,
    ) ?? []
  if (region === undefined || (service === "events") !== text.includes(":event-bus/")) return undefined
  return { service: service as "sns" | "events", region }
}

/**
 * An Amazon SNS topic or an Amazon EventBridge event bus (SNS Publish, EventBridge PutEvents).
 *
 * @param open opens the connection to AWS, when it is needed
 */
export function awsListener(open: () => Promise<Aws>, arn: string): Listener {
  const { service, region } = parse(arn) as { service: "sns" | "events"; region: string }
  const to = service === "sns" ? toTopic : toBus
  return {
    name: arn,
    tell: async (announcement, signal) => {
      const aws = { ...(await open()), region, limits }
      if (!signal.aborted) await to(aws, arn)(announcement)
    },
  }
}

/** Time limits of a call, in milliseconds. */
const limits = { connect: 3_000, answer: 5_000, call: 12_000 }

function toTopic(aws: Aws, TopicArn: string) {
  return async (announcement: Announcement) => {
    const text = (StringValue: string) => ({ DataType: "String", StringValue })
    const { state, action, stage } = announcement
    await (await sns(aws)).publish({
      TopicArn,
      // SNS takes printable ASCII here, up to 100 characters.
      Subject: titleOf(announcement)
        .replace(/[^\x20-\x7e]/g, "?")
        .slice(0, 100),
      Message: JSON.stringify(bodyOf(announcement)),
      MessageAttributes: {
        ...{ state: text(state), action: text(action) },
        ...(stage && { stage: text(stage) }),
      },
    })
  }
}

function toBus(aws: Aws, EventBusName: string) {
  return async (announcement: Announcement) => {
    const { FailedEntryCount = 0, Entries } = await (await eventBridge(aws)).putEvents({
      Entries: [
        {
          ...{ EventBusName, Source: "ecs-release", DetailType: "ECS Release State Change" },
          Detail: JSON.stringify(bodyOf(announcement)),
          Time: announcement.time,
        },
      ],
    })
    if (FailedEntryCount > 0) throw new Error(`${Entries?.[0]?.ErrorCode}: ${Entries?.[0]?.ErrorMessage}`)
  }
}
