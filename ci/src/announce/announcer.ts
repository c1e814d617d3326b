/** What is deployed, and where. */
export type Subject = {
  /** The function that was called: release, deploy, promote or rollback. */
  action: string
  app?: string
  stage?: string
  version: string
  commit?: string
  /** `CLUSTER/SERVICE` of each. */
  services: string[]
  region: string
}

/** The state of a deployment: started, waiting for a person, or ended, with the word that deploy's result begins with. */
export type State =
  | "started"
  | "paused"
  | "completed"
  | "unchanged"
  | "rolled back"
  | "superseded"
  | "timed out"
  | "failed"

/** A notification. */
export type Announcement = Subject & {
  state: State
  /** The end in words; "" at the start. */
  text: string
  time: Date
  /** Where people reach the service. */
  url?: string
}

/** A receiver of notifications. */
export type Listener = {
  /** Its name, for warnings: never an address that is a secret. */
  name: string
  /** Sends one. It returns soon, and sends nothing after the signal fires. */
  tell: (announcement: Announcement, signal: AbortSignal) => Promise<void>
}

/** Seconds that a listener may take to accept one announcement. */
const patience = 15

/** Whether a state is final. */
export function isEnd(state: State): boolean {
  return state !== "started" && state !== "paused"
}

/**
 * Tells listeners how a deployment goes, in the background and in order. None of them can change how it ends: if one fails, there is
 * a warning.
 */
export class Announcer {
  private subject?: Subject
  /** Whether the start was announced. */
  begun = false
  private readonly queues: { listener: Listener; last: Promise<void> }[] = []

  constructor(
    listeners: Listener[],
    private readonly print: (line: string) => void,
  ) {
    for (const listener of listeners) this.add(listener)
  }

  /** Adds a listener. */
  add(listener: Listener): void {
    this.queues.push({ listener, last: Promise.resolve() })
  }

  /** Sets the subject, before it is clear whether there is anything to do. If it is another commit, what was announced before is over. */
  expect(subject: Subject): void {
    if (!this.begun) this.subject = subject
    else if (this.subject?.commit !== subject.commit) {
      this.tell("superseded", `superseded: ${subject.version} is being released instead`)
      this.subject = subject
      this.begun = false
    }
  }

  /** Announces the start. */
  start(subject = this.subject): void {
    if (subject) this.expect(subject)
    if (!this.subject || this.begun) return
    this.begun = true
    this.tell("started", "")
  }

  /** The version turned out to be different: another run took the number in the meantime, or nobody had named one. */
  about(change: Partial<Pick<Subject, "version" | "commit">>): void {
    if (this.subject) this.subject = { ...this.subject, ...change }
  }

  /** Announces a state that nobody was told about when it was reached. */
  async catchUp(state: State, text: string): Promise<void> {
    this.tell(state, text)
    await Promise.all(this.queues.map(({ last }) => last))
  }

  /** Announces that the deployment waits for a person. */
  pause(text: string): void {
    this.tell("paused", text)
  }

  /**
   * Runs the work and announces how it ended; if there was nothing to do, it announces nothing.
   *
   * @param end how a result ended
   */
  async around<T>(
    work: () => Promise<T>,
    end: (result: T) => { state: string; text: string; url?: string },
  ): Promise<T> {
    try {
      const result = await work()
      const { state, text, url } = end(result)
      const ended = stateOf(state)
      if (this.begun || ended !== "unchanged") this.tell(ended, text, url)
      return result
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      const ended = stateOf(text)
      // An error before anything was done concerns only the caller.
      if (this.begun || ended !== "failed" || text.startsWith("failed:")) this.tell(ended, summary(text))
      throw error
    } finally {
      await Promise.all(this.queues.map(({ last }) => last))
    }
  }

  private tell(state: State, text: string, url?: string): void {
    if (!this.subject) return
    const announcement = { ...this.subject, state, text: text.trim(), time: new Date(), url }
    for (const queue of this.queues) {
      const { listener } = queue
      queue.last = queue.last.then(() =>
        inTime(listener, announcement).catch(error => this.warn(listener, error)),
      )
    }
  }

  private warn({ name }: Listener, error: unknown): void {
    this.print(`warning: could not notify ${name}: ${(error as Error).message.split("\n").join(" ")}`)
  }
}

async function inTime(listener: Listener, announcement: Announcement): Promise<void> {
  const signal = AbortSignal.timeout(patience * 1000)
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error(`no answer within ${patience} s`)))
  })
  await Promise.race([listener.tell(announcement, signal), late])
}

/** The state that a result's or an error's first words name; any other error is a failure. */
function stateOf(text: string): State {
  const known: State[] = ["paused", "completed", "unchanged", "rolled back", "superseded", "timed out"]
  // Another run did it in the meantime.
  if (text === "nothing") return "unchanged"
  return known.find(state => text.startsWith(state)) ?? "failed"
}

/** What happened and why, one line each: the lines after that may be the application's own log. */
function summary(text: string): string {
  return text
    .split("\n")
    .filter(line => !line.startsWith("→"))
    .slice(0, 2)
    .join("\n")
}
