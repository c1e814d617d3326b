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

/** How far it is: it has begun, waits for a person, or ended, by the word that deploy's result begins with. */
export type State =
  | "started"
  | "paused"
  | "completed"
  | "unchanged"
  | "rolled back"
  | "superseded"
  | "timed out"
  | "failed"

/** Something to tell. */
export type Announcement = Subject & {
  state: State
  /** The end in words; "" at the start. */
  text: string
  time: Date
  /** Where people reach the service. */
  url?: string
}

/** Who is told. */
export type Listener = {
  /** Who it is, for a warning: never an address that is a secret. */
  name: string
  /** It ends soon, and tells nothing any more once the signal is given. */
  tell: (announcement: Announcement, signal: AbortSignal) => Promise<void>
}

/** Seconds that a listener may take to take in one announcement. */
const patience = 15

/** Whether a state means that it is over. */
export function isEnd(state: State): boolean {
  return state !== "started" && state !== "paused"
}

/**
 * Tells listeners how a deployment goes. They are told beside it, each in order, and none changes how it ends: one that fails is a
 * warning.
 */
export class Announcer {
  private subject?: Subject
  /** Whether it was told that it begins. */
  begun = false
  private readonly queues: { listener: Listener; last: Promise<void> }[] = []

  constructor(
    listeners: Listener[],
    private readonly print: (line: string) => void,
  ) {
    for (const listener of listeners) this.add(listener)
  }

  /** Tells another listener, too. */
  add(listener: Listener): void {
    this.queues.push({ listener, last: Promise.resolve() })
  }

  /** What it is about, before it is clear whether anything is to be done. Of another commit, what had begun is over. */
  expect(subject: Subject): void {
    if (!this.begun) this.subject = subject
    else if (this.subject?.commit !== subject.commit) {
      this.tell("superseded", `superseded: it is ${subject.version}'s turn`)
      this.subject = subject
      this.begun = false
    }
  }

  /** It begins. */
  start(subject = this.subject): void {
    if (subject) this.expect(subject)
    if (!this.subject || this.begun) return
    this.begun = true
    this.tell("started", "")
  }

  /** Another version is brought than was thought: a number was taken in the meantime, or nobody had named one. */
  about(change: Partial<Pick<Subject, "version" | "commit">>): void {
    if (this.subject) this.subject = { ...this.subject, ...change }
  }

  /** Tells a state of which nobody was told when it was reached. */
  async catchUp(state: State, text: string): Promise<void> {
    this.tell(state, text)
    await Promise.all(this.queues.map(({ last }) => last))
  }

  /** It waits for a person, and goes on waiting. */
  pause(text: string): void {
    this.tell("paused", text)
  }

  /**
   * Does what is told about, and tells how it ended; of what was there already, nothing.
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
      // A mistake before anything was done is for the caller alone.
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
  // What another run did in the meantime is as good.
  if (text === "nothing") return "unchanged"
  return known.find(state => text.startsWith(state)) ?? "failed"
}

/** What happened and why, a line each: what follows may be an application's own log. */
function summary(text: string): string {
  return text
    .split("\n")
    .filter(line => !line.startsWith("→"))
    .slice(0, 2)
    .join("\n")
}
