import { UserError } from "./errors.js"

/** The engines whose answers are recorded, the default first. */
const ENGINES = ["v0.21.8", "v0.20.0"] as const

/** An engine that can be stood in for. */
export type Engine = (typeof ENGINES)[number]

/**
 * The engine that is stood in for: `ECS_RELEASE_ENGINE` names it. The two differ in the version they say and in how they read
 * `.env`. Throws UserError for one that isn't known.
 */
export function engineVersion(named = process.env.ECS_RELEASE_ENGINE): Engine {
  const wanted = named || ENGINES[0]
  const found = ENGINES.find(one => one === wanted || one === `v${wanted}`)
  if (found) return found
  throw new UserError(
    `ECS_RELEASE_ENGINE=${named}: there is no stand-in for that engine. Set it to ${ENGINES.join(" or ")}, or unset it.`,
  )
}
