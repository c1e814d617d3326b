/** Runs the steps of a release: says when each begins and ends, and keeps how long it took. */
export class StepTimer {
  private readonly done: { name: string; seconds: number }[] = []

  constructor(private readonly print: (line: string) => void) {}

  /** Runs one step. An error passes through, after a line that says which step it ended. */
  async run<T>(name: string, step: () => Promise<T>): Promise<T> {
    const start = performance.now()
    const seconds = () => (performance.now() - start) / 1000
    this.print(`${name}: started`)
    try {
      const result = await step()
      this.done.push({ name, seconds: seconds() })
      this.print(`${name}: done in ${seconds().toFixed(1)} s`)
      return result
    } catch (error) {
      this.print(`${name}: failed after ${seconds().toFixed(1)} s`)
      throw error
    }
  }

  /** The seconds per step. */
  get seconds(): { [step: string]: number } {
    return Object.fromEntries(this.done.map(({ name, seconds }) => [name, Math.round(seconds * 10) / 10]))
  }

  /** The time per step in one line: `version 0.4 s, test 2.1 s`. */
  summary(): string {
    return this.done.map(({ name, seconds }) => `${name} ${seconds.toFixed(1)} s`).join(", ")
  }
}
