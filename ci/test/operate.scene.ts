import { afterEach, vi } from "vitest"
import { definition, deployment, where } from "./ecs/mock.js"

// A service that runs 1.1.0, for the functions that work on what runs: restart, scale, logs.

/** What was printed. */
export const lines: string[] = []
export const watch = { timeoutSeconds: 60, print: (line: string) => lines.push(line) }
export const target = { ...where, someContainers: false }
export const definitions = () => [{ definition: definition(2, "b", "1.1.0") }]
export const old = deployment("old", 2, {})

/** Call it once per test file: nothing printed, and the real clock, after each test. */
export function eachTest(): void {
  afterEach(() => {
    vi.useRealTimers()
    lines.length = 0
  })
}
