import type { PastDeployment } from "../ecs/past-deployment.js"
import { day, duration } from "../lib/time.js"
import { type Html, html } from "./html.js"

/** How an outcome is coloured: the name of a class. */
export function colorOf(outcome: PastDeployment["outcome"]): string {
  if (outcome === "completed") return "good"
  if (outcome === "in progress" || outcome === "rolling back") return "busy"
  return outcome === "stopped" || outcome === "superseded" ? "dim" : "bad"
}

/** Days as the time line and the tables show them: `27 Nov`, with the year if it is not this one. */
export function dayOf(date: Date, now = new Date()): string {
  const isOther = date.getUTCFullYear() !== now.getUTCFullYear()
  const year = isOther ? ({ year: "numeric" } as const) : {}
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC", ...year })
}

/** The deployments of some services on a time line, a lane for each. */
export function timeLine(
  lanes: { name: string; deployments: PastDeployment[] }[],
  now: Date,
  days: number,
): Html {
  const [width, lane, left, top] = [720, 34, 8, 22]
  const height = top + lanes.length * lane + 4
  const start = now.getTime() - days * day
  const at = (date: Date) => left + ((date.getTime() - start) / (days * day)) * (width - 2 * left)
  const weeks = Array.from(
    { length: Math.floor(days / 7) + 1 },
    (_, week) => new Date(now.getTime() - week * 7 * day),
  )
  return html`<svg class="timeline" viewBox="0 0 ${width} ${height}" role="img" aria-label="Deployments of the last ${days} days">
${weeks.map(
  date => html`<line x1="${at(date).toFixed(1)}" x2="${at(date).toFixed(1)}" y1="${top - 4}" y2="${height}" class="grid"/>
<text x="${Math.min(Math.max(at(date), 2), width - 2).toFixed(1)}" y="12" text-anchor="${at(date) > width - 30 ? "end" : at(date) < 30 ? "start" : "middle"}" class="axis">${dayOf(date)}</text>`,
)}
${lanes.map(({ name, deployments }, row) => {
  const y = top + row * lane
  const shown = deployments.filter(it => it.started.getTime() >= start)
  return html`<text x="${left}" y="${y + 9}" class="lane">${name}</text>
<line x1="${left}" x2="${width - left}" y1="${y + 22}" y2="${y + 22}" class="axis"/>
${shown.map(it => {
  const [from, to] = [at(it.started), at(it.ended ?? now)]
  return html`<rect x="${(from - 2).toFixed(1)}" y="${y + 14}" width="${Math.max(5, to - from).toFixed(1)}" height="16" rx="2.5" class="${colorOf(it.outcome)}"><title>${it.version} ${it.outcome}, ${it.started.toISOString().slice(0, 16).replace("T", " ")}${it.reason && it.outcome !== "completed" ? `: ${it.reason}` : ""}</title></rect>`
})}`
})}
</svg>`
}

/** Values of the last weeks as bars; a week without one is a mark on the line. */
export function bars(values: (number | null)[], name: string, write: (value: number) => string): Html {
  const [width, height, gap] = [220, 44, 3]
  const step = width / Math.max(1, values.length)
  const most = Math.max(...values.map(value => value ?? 0), Number.MIN_VALUE)
  return html`<svg class="bars" viewBox="0 0 ${width} ${height}" role="img" aria-label="${name} by week, the latest last: ${values.map(value => (value === null ? "none" : write(value))).join(", ")}">
${values.map((value, at) => {
  const size = value === null ? 2 : Math.max(2, (value / most) * (height - 4))
  const week = values.length - 1 - at
  const when = week === 0 ? "the last 7 days" : `${week} ${week === 1 ? "week" : "weeks"} earlier`
  return html`<rect x="${(at * step).toFixed(1)}" y="${(height - size).toFixed(1)}" width="${(step - gap).toFixed(1)}" height="${size.toFixed(1)}" rx="1.5" class="${value === null ? "none" : "bar"}"><title>${when}: ${value === null ? "none" : write(value)}</title></rect>`
})}
</svg>`
}

/** How long ago something was, in words. */
export function ago(date: Date, now: Date): string {
  const seconds = (now.getTime() - date.getTime()) / 1000
  return seconds < 1 ? "now" : `${duration(seconds).split(" ").slice(0, 2).join(" ")} ago`
}
