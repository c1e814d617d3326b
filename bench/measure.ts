/** One line of a benchmark: what was timed, its median in milliseconds, and what it answered. */
export type Row = { name: string; milliseconds: number; answer: string }

/**
 * Times a piece of work: once to warm up, then the median of some runs.
 *
 * @param runs how many runs count
 * @param work returns the work's answer, to show that all do the same
 */
export async function timed(name: string, runs: number, work: () => string | Promise<string>): Promise<Row> {
  process.stderr.write(`${name} …\n`)
  let answer = await work()
  const times: number[] = []
  for (let i = 0; i < runs; i++) {
    const start = performance.now()
    answer = await work()
    times.push(performance.now() - start)
  }
  return { name, milliseconds: median(times), answer }
}

/** The middle one of some numbers. */
export function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

/** The rows as lines, the quickest first: what it is, how often it takes the time of the row of that name, and its time. */
export function ratios(rows: Row[], reference: string): string[] {
  const base = rows.find(({ name }) => name === reference)?.milliseconds ?? Number.NaN
  const cells = rows
    .toSorted((a, b) => a.milliseconds - b.milliseconds)
    .map(({ name, milliseconds, answer }) => [
      name,
      `${(milliseconds / base).toFixed(2)}×`,
      milliseconds < 10_000
        ? `${milliseconds.toFixed(milliseconds < 100 ? 1 : 0)} ms`
        : `${(milliseconds / 1000).toFixed(1)} s`,
      answer,
    ])
  const widths = [0, 1, 2].map(column => Math.max(...cells.map(row => (row[column] as string).length)))
  return cells.map(([name = "", ratio = "", time = "", answer = ""]) =>
    `  ${name.padEnd(widths[0] ?? 0)}  ${ratio.padStart(widths[1] ?? 0)}  ${time.padStart(widths[2] ?? 0)}  ${answer}`.trimEnd(),
  )
}
