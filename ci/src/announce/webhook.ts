import { randomUUID } from "node:crypto"
import { UserError } from "../lib/errors.js"
import { send } from "../lib/http.js"
import { isSafe } from "../lib/url.js"
import type { Announcement, Listener } from "./announcer.js"
import { bodyOf, titleOf } from "./body.js"

/** The part of the package standardwebhooks that is used. */
type Signer = {
  Webhook: new (
    secret: string,
    options?: { format: "raw" },
  ) => { sign(id: string, time: Date, body: string): string }
}

/** Seconds that a receiver has to answer, per attempt. */
const patience = 6

/**
 * A webhook: Slack's gets text, any other gets the same JSON as every receiver. The request is signed as Standard Webhooks
 * specifies (standardwebhooks.com, "Webhook headers"): webhook-id, webhook-timestamp, webhook-signature.
 *
 * @param address its URL, which is a secret
 * @param secret the signing secret; "" for no signature
 * @throws UserError if the URL is not valid or not safe to send to
 */
export function webhookListener(address: string, secret: string): Listener {
  const url = URL.canParse(address) ? new URL(address) : undefined
  // fetch does not accept a name and password in a URL.
  if (!url || !isSafe(url) || url.username !== "" || url.password !== "") {
    throw new UserError(
      "--webhook is not the URL of a webhook.",
      "It must be an https:// URL without a name and password; http:// is accepted only for this machine.",
      "Store the URL in a variable, and pass --webhook env://RELEASE_WEBHOOK",
    )
  }
  const isSlack = url.hostname === "hooks.slack.com" || url.hostname === "hooks.slack-gov.com"
  return {
    name: `the webhook at ${url.hostname}`,
    tell: async (announcement, signal) => {
      const body = JSON.stringify(isSlack ? slack(announcement) : bodyOf(announcement))
      const headers = {
        "content-type": "application/json",
        ...(await signed(secret, body)),
      }
      const once = () => send(url, { method: "POST", headers, body, signal }, patience)
      // Try once more, if that may help. The ID is the same, so that the receiver can tell that it is a repeat.
      const answer = await once().then(found => (found.status >= 500 ? once() : found), once)
      if (!answer.ok) throw new Error(`it answered ${answer.status}`)
    },
  }
}

async function signed(secret: string, body: string): Promise<Record<string, string>> {
  const [id, now] = [`msg_${randomUUID()}`, new Date()]
  const headers = { "webhook-id": id, "webhook-timestamp": String(Math.floor(now.getTime() / 1000)) }
  if (secret === "") return headers
  const { Webhook } = (await import("standardwebhooks" as string)) as Signer
  // A secret in the form of Standard Webhooks is Base64 after its prefix; any other is used as it is.
  const signer = secret.startsWith("whsec_") ? new Webhook(secret) : new Webhook(secret, { format: "raw" })
  return { ...headers, "webhook-signature": signer.sign(id, now, body) }
}

const signs: { [state: string]: string } = {
  started: ":rocket:",
  paused: ":double_vertical_bar:",
  completed: ":white_check_mark:",
  unchanged: ":white_check_mark:",
  "rolled back": ":rewind:",
}

/** What Slack shows (Slack API, "Formatting message text": three characters are escaped). */
function slack(announcement: Announcement): { text: string } {
  const { state, text, url } = announcement
  const escaped = (of: string) => of.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
  const title = `${signs[state] ?? ":x:"} *${escaped(titleOf(announcement))}*`
  const details = text === "" ? [] : ["```", escaped(text.slice(0, 2500)).replaceAll("```", "'''"), "```"]
  return { text: [title, ...details, ...(url ? [escaped(url)] : [])].join("\n") }
}
