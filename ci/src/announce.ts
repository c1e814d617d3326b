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
 * Who is told how a deployment goes: SNS topics and event buses (`--notify`), and a webhook. AWS is asked once there is something to tell.
 *
 * @throws UserError if the webhook is no URL that may be sent to, or if a secret cannot be read
 */
export async function announcerOf(settings: Settings, print: (line: string) => void): Promise<Announcer> {
  const [address, secret] = await Promise.all([
    readSecret(settings.webhook, "--webhook"),
    readSecret(settings.webhookSecret, "--webhook-secret"),
  ])
  let opened: ReturnType<typeof openAws> | undefined
  const open = () => {
    opened ??= openAws(settings)
    // What failed may work the next time.
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

/** A secret's value; "" if it is left out or empty. One that cannot be read is a mistake: nobody would be told, or without a signature. */
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

/** What is told of a deployment to the settings' services. */
export function subjectOf(settings: Settings, about: Omit<Subject, "services" | "region">): Subject {
  const services = servicesOf(settings).map(({ cluster, service }) => `${cluster}/${service}`)
  return { ...about, services, region: settings.region }
}

/** What a deployment calls while it goes on. */
export type Hooks = {
  /** Right before ECS is told. */
  beforeUpdate: () => Promise<void>
  /** When it is known which version is deployed, before anything is changed. */
  begin: (version: string) => void
  /** When ECS waits for a person. */
  onPause: (text: string) => void
}

/**
 * Deploys, and tells those who are to know. It begins when ECS is told to deploy: of what runs already nothing is told, and of what was on
 * its way its end.
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

/** What a deployment calls, so that those who are to know are told. */
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
