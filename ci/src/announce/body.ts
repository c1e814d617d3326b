import { outputSchema } from "../lib/output.js"
import type { Announcement } from "./announcer.js"

/** An announcement as JSON, the same for every receiver (docs/notifications.md). Pure. */
export function bodyOf({ time, text, ...rest }: Announcement) {
  return {
    schema: outputSchema,
    kind: "notification",
    ...rest,
    text: text.slice(0, 10_000),
    time: time.toISOString(),
  }
}

/** An announcement in one line. Pure. */
export function titleOf({ action, app, stage, version, services, state }: Announcement): string {
  const where = stage ? `${stage} (${services.join(", ")})` : services.join(", ")
  return `${app ? `${app} ` : ""}${version} on ${where}: ${action} ${state}`
}
