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
  return { name, milliseconds: times.sort((a, b) => a - b)[Math.floor(runs / 2)] as number, answer }
}

/** Prints the rows, the quickest first, each with its ratio to the row of that name. */
export function report(rows: Row[], reference: string): void {
  const base = rows.find(({ name }) => name === reference)?.milliseconds ?? Number.NaN
  const cells = rows
    .toSorted((a, b) => a.milliseconds - b.milliseconds)
    .map(({ name, milliseconds, answer }) => [
      name,
      `${milliseconds.toFixed(milliseconds < 100 ? 1 : 0)} ms`,
      `${(milliseconds / base).toFixed(2)}×`,
      answer,
    ])
  const widths = [0, 1, 2].map(column => Math.max(...cells.map(row => (row[column] as string).length)))
  for (const [name = "", time = "", ratio = "", answer = ""] of cells) {
    console.log(
      `  ${name.padEnd(widths[0] ?? 0)}  ${time.padStart(widths[1] ?? 0)}  ${ratio.padStart(widths[2] ?? 0)}  ${answer}`,
    )
  }
}
