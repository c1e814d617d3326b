import type { Reporter, TestCase } from "vitest/node"

/** Prints the ten slowest tests at the end of a run, so that what slows it down is seen. */
export default class Slowest implements Reporter {
  private readonly tests: { name: string; seconds: number }[] = []

  onTestCaseResult(test: TestCase): void {
    const seconds = (test.diagnostic()?.duration ?? 0) / 1000
    this.tests.push({ name: `${test.module.relativeModuleId}: ${test.fullName}`, seconds })
  }

  onTestRunEnd(): void {
    const slowest = this.tests.sort((a, b) => b.seconds - a.seconds).slice(0, 10)
    if (this.tests.length < 50) return
    console.log("\nThe ten slowest tests:")
    for (const { name, seconds } of slowest) console.log(`${seconds.toFixed(1).padStart(7)} s  ${name}`)
  }
}
