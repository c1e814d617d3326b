import { afterEach, beforeEach, vi } from "vitest"
import { deploy } from "../src/deploy.js"
import { at, aws, definition, deployment, image, service, type World, where } from "./ecs/mock.js"

// A release of 1.1.0 on a service that runs 1.0.0 as revision 1.

export const commit = "b".repeat(40)
export const release = { ...where, image: image("b"), version: "1.1.0", commit, timeoutSeconds: 600 }
export const old = deployment("old", 1, { createdAt: at(-1000) })
export const oldActive = { ...old, status: "ACTIVE" }

/** The deployment that the release starts. */
export const bringing = (state: object) =>
  deployment("new", 2, { rolloutState: "IN_PROGRESS", runningCount: 0, ...state })
export const event = (id: string, message: string) => ({
  id,
  message: `(service web) ${message}`,
  createdAt: at(1),
})

/** What the release printed. */
export const lines: string[] = []
export const run = (extra: object = {}) =>
  deploy(aws, { ...release, print: line => lines.push(line), ...extra })

/** The world, with what follows an update. */
export function world(updated: World["updated"], extra: Partial<World> = {}): World {
  const definitions = [{ definition: definition(1, "a", "1.0.0") }]
  return { before: service([old]), updated, definitions, ...extra }
}

/** Call it once per test file: nothing printed before a test, the real clock after it. */
export function eachTest(): void {
  beforeEach(() => {
    lines.length = 0
  })
  afterEach(() => {
    vi.useRealTimers()
  })
}
