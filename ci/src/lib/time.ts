import { UserError } from "./errors.js"

/** Milliseconds in a day. */
export const day = 86_400_000

/**
 * A time as a person types it: how long ago, or the time itself.
 *
 * @param text a number with s, m, h or d, such as 10m; or a time in ISO 8601
 * @param flag the argument, for the error
 * @throws UserError for anything else
 */
export function parseTime(text: string, flag: string, now = new Date()): Date {
  const [, amount, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  if (amount !== undefined) {
    const seconds = { s: 1, m: 60, h: 3600, d: 86_400 }[unit as "s" | "m" | "h" | "d"]
    const since = now.getTime() - Number(amount) * seconds * 1000
    if (since >= 0) return new Date(since)
  }
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time)) return new Date(time)
  throw new UserError(
    `${flag} does not accept ${JSON.stringify(text.slice(0, 100))}.`,
    "",
    "It must be an age, such as 10m, 2h or 1d, or a time, such as 2026-01-31T12:00:00Z.",
  )
}

/** Seconds in readable form: `3 h 12 min`. */
export function duration(value: number | null): string {
  if (value === null) return "–"
  const all = Math.round(value)
  const units: [string, number][] = [
    ["d", Math.floor(all / 86_400)],
    ["h", Math.floor(all / 3600) % 24],
    ["min", Math.floor(all / 60) % 60],
    ["s", all % 60],
  ]
  const first = units.findIndex(([, count]) => count > 0)
  if (first < 0) return "0 s"
  return units
    .slice(first, first + 2)
    .filter(([, count]) => count > 0)
    .map(([unit, count]) => `${count} ${unit}`)
    .join(" ")
}

/** A time to the second, in UTC: `2025-11-23 15:37:00Z`. */
export function utc(date: Date | undefined): string {
  return date === undefined ? "" : `${date.toISOString().slice(0, 19).replace("T", " ")}Z`
}
