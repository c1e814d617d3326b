import type { Identity } from "../aws/account.js"
import type { Aws } from "../aws/clients.js"
import { explain, missingRight } from "../aws/errors.js"
import type { Service, TaskDefinition } from "../aws/types.js"
import { UserError } from "../lib/errors.js"
import type { ServiceRef, Settings } from "../settings.js"

/** The result of one check. */
export type Check = {
  /** What was checked. */
  name: string
  /** `cannot tell` if a permission is missing, or AWS does not answer. */
  result: "ok" | "wrong" | "cannot tell"
  /** What was found; or what is wrong, why, and what to do. */
  text: string
  /** Whether a deployment would fail because of it. */
  blocks: boolean
}

/** A thing to check. `work` returns what it found, and throws what is wrong. */
export type Look = { name: string; blocks?: boolean; work: () => Promise<string> }

/** The input for the checks of one service. */
export type Scene = {
  aws: Aws
  caller: Identity
  where: ServiceRef
  settings: Settings
  service: Service
  definition: TaskDefinition
}

const marks = { ok: "✔", wrong: "✘", "cannot tell": "?" }

/** A check as text, with the reason for what is wrong on lines below it. */
export function writeCheck({ name, result, text }: Check): string {
  return `${marks[result]} ${name}: ${result === "ok" ? "" : `${result}: `}${text.replaceAll("\n", "\n    ")}`
}

/** The checks as text, and a count at the end. */
export function writeChecks(checks: Check[]): string {
  return `${[...checks.map(writeCheck), "", countOf(checks)].join("\n")}\n`
}

/** `12 ok, 1 wrong, 2 cannot tell`. */
export function countOf(checks: Check[]): string {
  const count = (result: Check["result"]) => checks.filter(it => it.result === result).length
  const parts = (["ok", "wrong", "cannot tell"] as const).map(it => [count(it), it] as const)
  return parts
    .filter(([count]) => count > 0)
    .map(([count, result]) => `${count} ${result}`)
    .join(", ")
}

/**
 * Refuses to go on if a deployment would fail.
 *
 * @throws UserError with what is wrong
 */
export function refuseWrong(checks: Check[]): void {
  const wrong = checks.filter(({ result, blocks }) => result === "wrong" && blocks)
  if (wrong.length === 0) return
  throw new UserError(
    `The deployment would fail: ${wrong.map(({ name }) => name).join(", ")}.`,
    wrong.map(({ name, text }) => `${name}: ${text}`).join("\n"),
    "Nothing was claimed or pushed. 'verify' shows all checks.",
  )
}

export async function check(aws: Aws, { name, blocks = false, work }: Look): Promise<Check> {
  try {
    return { name, result: "ok", text: await work(), blocks }
  } catch (error) {
    if (error instanceof Wrong) return { name, result: "wrong", text: error.message, blocks }
    const right = missingRight(error)
    const text = right === undefined ? (explain(error, aws) as Error).message : `${right} is missing`
    return { name, result: "cannot tell", text, blocks }
  }
}

/** Something is wrong. Any other error only means that it could not be checked. */
export class Wrong extends UserError {}

/** Turns an error of the deployment's own checks into a Wrong. */
export function orWrong<T>(check: () => T): T {
  try {
    return check()
  } catch (error) {
    throw error instanceof UserError ? new Wrong(error.message) : error
  }
}

/** Asks AWS for something by its name; if AWS says that it does not exist, that is what is wrong. */
export async function orMissing<T>(
  call: () => Promise<T>,
  missing: RegExp,
  what: string,
  remedy: string,
): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (!missing.test((error as Error).name)) throw error
    throw new Wrong(what, (error as Error).message, remedy)
  }
}
