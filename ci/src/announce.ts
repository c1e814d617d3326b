import type { Secret } from "@dagger.io/dagger"
import { Announcer, type Subject } from "./announce/announcer.js"
import { awsListener } from "./announce/aws.js"
import { webhookListener } from "./announce/webhook.js"
import { openAws } from "./aws/account.js"
import { type DeployResult, outcomeOf } from "./ecs/result.js"
import { UserError } from "./lib/errors.js"
import { namesIn } from "./lib/list.js"
import { type Settings, servicesOf } from "./settings.js"

/**
 * Opens what gets notifications: SNS topics and event buses (`--notify`), and a webhook. AWS is called only when there is one to send.
 *
 * @throws UserError if the webhook's URL is not valid or not safe to send to, or if a secret cannot be read
 */
export async function announcerOf(settings: Settings, print: (line: string) => void): Promise<Announcer> {
  const [address, secret] = await Promise.all([
    readSecret(settings.webhook, "--webhook"),
    readSecret(settings.webhookSecret, "--webhook-secret"),
  ])
  let opened: ReturnType<typeof openAws> | undefined
  const open = () => {
    opened ??= openAws(settings)
    // It may work the next time.
    opened.catch(() => (opened = undefined))
    return opened
  }
  return new Announcer(
    [
      ...namesIn(settings.notify).map(arn => awsListener(open, arn)),
      ...(address === "" ? [] : [webhookListener(address, secret)]),
    ],
    print,
  )
}

/** A secret's value; "" if it is not set or empty. If it cannot be read, that is an error: there would be no notification, or no signature. */
async function readSecret(secret: Secret | undefined, flag: string): Promise<string> {
  try {
    return (await secret?.plaintext())?.trim() ?? ""
  } catch {
    throw new UserError(
      `${flag} cannot be read.`,
      "",
      "Check the name of the variable or the file, or leave it out.",
    )
  }
}

/** The subject of the notifications about a deployment to the settings' services. */
export function subjectOf(settings: Settings, about: Omit<Subject, "services" | "region">): Subject {
  const services = servicesOf(settings).map(({ cluster, service }) => `${cluster}/${service}`)
  return { ...about, services, region: settings.region }
}

/** What a deployment calls as it progresses. */
export type Hooks = {
  /** Right before ECS is told. */
  beforeUpdate: () => Promise<void>
  /** Once it is known which version will be deployed, before anything changes. */
  begin: (version: string) => void
  /** When ECS waits for a person. */
  onPause: (text: string) => void
}

/**
 * Deploys, and sends notifications. The start is when ECS is told to deploy: for a version that runs already nothing is sent, and for a
 * deployment that was already in progress only its end.
 */
export async function announced(
  settings: Settings,
  about: Omit<Subject, "services" | "region">,
  print: (line: string) => void,
  work: (hooks: Hooks) => Promise<DeployResult[]>,
): Promise<DeployResult[]> {
  const announcer = await announcerOf(settings, print)
  announcer.expect(subjectOf(settings, about))
  return announcer.around(
    () => work(hooksOf(announcer)),
    ends => {
      const [first] = ends
      if (first) announcer.about({ version: first.version })
      return { state: outcomeOf(ends), text: ends.map(end => end.text).join("\n") }
    },
  )
}

/** What a deployment calls, so that notifications are sent. */
function hooksOf(announcer: Announcer): Hooks {
  return {
    beforeUpdate: async () => announcer.start(),
    begin: version => {
      announcer.about({ version })
      announcer.start()
    },
    onPause: text => announcer.pause(text),
  }
}
