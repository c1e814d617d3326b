/** A build's log: the messages of CodeBuild's agent and the output of the commands, with secret values masked. */
export interface BuildLog {
  /** A line of the agent. */
  say(line: string): void
  /** Output of a command, as it comes. */
  output(chunk: Buffer): void
  /** Values that are masked from now on. */
  mask(values: string[]): void
}

/**
 * Makes a log that writes whole lines. The agent's begin with `[Container]` and the time (UTC), as in CodeBuild's log.
 *
 * @param write takes the finished text
 */
export function buildLog(write: (text: string) => void): BuildLog {
  const secrets = new Set<string>()
  const clean = (text: string) => [...secrets].reduce((so, secret) => so.replaceAll(secret, "***"), text)
  let rest = Buffer.alloc(0)
  return {
    say(line) {
      if (rest.length > 0) write(`${clean(rest.toString())}\n`)
      rest = Buffer.alloc(0)
      const now = new Date().toISOString().replaceAll("-", "/").replace("T", " ").replace("Z", "")
      write(`[Container] ${now} ${clean(line)}\n`)
    },
    output(chunk) {
      rest = Buffer.concat([rest, chunk])
      const end = rest.lastIndexOf("\n") + 1
      if (end > 0) write(clean(rest.subarray(0, end).toString()))
      rest = rest.subarray(end)
    },
    mask(values) {
      for (const value of values) if (value !== "") secrets.add(value)
    },
  }
}
