import { Announcer, type Listener, type Subject } from "./announce/announcer.js"
import { awsListener } from "./announce/aws.js"
import { webhookListener } from "./announce/webhook.js"
import { openAws } from "./aws/account.js"
import type { Aws } from "./aws/clients.js"
import type { DeployResult } from "./ecs/result.js"
import { namesIn } from "./lib/list.js"
import { plaintext } from "./lib/secret.js"
import { outcomeOf } from "./service-set.js"
import { type Settings, targetsOf } from "./settings.js"

/**
 * Who is told how a deployment goes: SNS topics and event buses (`--notify`), and a webhook.
 *
 * @param others who else
 * @throws UserError if the webhook is no URL that may be sent to
 */
export async function announcerOf(
  settings: Settings,
  print: (line: string) => void,
  others: Listener[] = [],
  aws?: Aws,
): Promise<Announcer> {
  const arns = namesIn(settings.notify)
  const [address, secret] = await Promise.all([
    plaintext(settings.webhook),
    plaintext(settings.webhookSecret),
  ])
  const listeners = [...others]
  if (arns.length > 0) {
    const place = aws ?? (await openAws(settings))
    listeners.push(...arns.map(arn => awsListener(place, arn)))
  }
  if (address !== undefined) listeners.push(webhookListener(address, secret ?? ""))
  return new Announcer(listeners, print)
}

/** What is told of a deployment to the settings' services. */
export function subjectOf(settings: Settings, about: Omit<Subject, "services" | "region">): Subject {
  const services = targetsOf(settings).map(({ cluster, service }) => `${cluster}/${service}`)
  return { ...about, services, region: settings.region }
}

/** Deploys, and tells those who are to know. */
export async function announced(
  aws: Aws,
  settings: Settings,
  about: Omit<Subject, "services" | "region">,
  print: (line: string) => void,
  work: () => Promise<DeployResult[]>,
): Promise<DeployResult[]> {
  const announcer = await announcerOf(settings, print, [], aws)
  announcer.start(subjectOf(settings, about))
  return announcer.around(work, ends => ({
    state: outcomeOf(ends),
    text: ends.map(end => end.text).join("\n"),
  }))
}
