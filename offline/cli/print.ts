import { createHash } from "node:crypto"

/** An object as the command line shows it: its type and a hash of what made it. */
export class Shown {
  constructor(
    readonly type: string,
    readonly made: unknown,
  ) {}

  toString(): string {
    const hash = createHash("sha256").update(JSON.stringify(this.made)).digest("hex").slice(0, 16)
    return `${this.type}@xxh3:${hash}`
  }
}

/** The text that standard output gets for a result: nothing is added to a string. Objects look the same with `json`. */
export function resultText(value: unknown, json: boolean): string {
  if (value instanceof Shown) return `${value}\n`
  if (Array.isArray(value) && value.length > 0 && value.every(one => one instanceof Shown)) {
    return value.map(one => `- ${one}\n`).join("")
  }
  return json ? `${JSON.stringify(value ?? null, null, 4)}\n` : plainText(value)
}

function plainText(value: unknown): string {
  if (Array.isArray(value)) return value.map(one => `${plainText(one)}\n`).join("")
  if (value === null || value === undefined) return "<nil>"
  if (typeof value === "number") return numberText(value)
  if (typeof value === "object") return Object.values(value).map(plainText).join("")
  return String(value)
}

/** A number as the real CLI prints it, for which all are floats: with an exponent from seven digits on. */
function numberText(value: number): string {
  const [mantissa = "", power = ""] = value.toExponential().split("e")
  const exponent = Number(power)
  if (value === 0 || (exponent >= -4 && exponent < 6)) return String(value)
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${`${Math.abs(exponent)}`.padStart(2, "0")}`
}
