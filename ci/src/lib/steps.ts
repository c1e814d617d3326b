/** A finished step: when it started and ended, in seconds since the first one started. */
export type Step = { name: string; start: number; end: number }

/**
 * The steps that decided how long the whole took: the one that ended last, the one that it waited for, and so on back to the
 * first. Making any other step faster would change nothing. Pure.
 */
export function criticalPath(steps: Step[]): Step[] {
  const latest = (among: Step[]) =>
    among.reduce<Step | undefined>((a, b) => (a && a.end >= b.end ? a : b), undefined)
  const path: Step[] = []
  for (let step = latest(steps); step; ) {
    path.unshift(step)
    const { start } = step
    step = latest(steps.filter(it => it.end <= start && !path.includes(it)))
  }
  return path
}

/** Runs the steps of a release: prints when each starts and ends, and records how long it took. */
export class StepTimer {
  private readonly done: Step[] = []
  private readonly began = performance.now()

  constructor(private readonly print: (line: string) => void) {}

  /** Runs one step. An error passes through, after a line that says which step failed. */
  async run<T>(name: string, step: () => Promise<T>): Promise<T> {
    const now = () => (performance.now() - this.began) / 1000
    const start = now()
    const took = () => `${(now() - start).toFixed(1)} s`
    this.print(`${name}: started`)
    try {
      const result = await step()
      this.print(`${name}: done in ${took()}`)
      this.done.push({ name, start, end: now() })
      return result
    } catch (error) {
      this.print(`${name}: failed after ${took()}`)
      throw error
    }
  }

  /** The seconds per step, and the names of those on the critical path. */
  get times(): { seconds: { [step: string]: number }; criticalPath: string[] } {
    const rounded = this.done.map(({ name, start, end }) => [name, Math.round((end - start) * 10) / 10])
    return {
      seconds: Object.fromEntries(rounded),
      criticalPath: criticalPath(this.done).map(({ name }) => name),
    }
  }

  /** The time per step in one line: `version 0.4 s, test 2.1 s`. */
  summary(): string {
    return this.done.map(({ name, start, end }) => `${name} ${(end - start).toFixed(1)} s`).join(", ")
  }

  /** Which step the time went to: `deploy, 61.0 of 75.2 s (version → test → claim → push → deploy)`. */
  longest(): string {
    const path = criticalPath(this.done)
    const took = ({ start, end }: Step) => end - start
    const [most] = [...path].sort((a, b) => took(b) - took(a))
    const total = (path.at(-1)?.end ?? 0) - (path[0]?.start ?? 0)
    if (!most) return ""
    return `${most.name}, ${took(most).toFixed(1)} of ${total.toFixed(1)} s (${path.map(({ name }) => name).join(" → ")})`
  }
}
