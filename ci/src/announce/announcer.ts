import { UserError } from "../lib/errors.js"

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
  tell: (announcement: Announcement) => Promise<void>
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
  private readonly queues: { listener: Listener; last: Promise<void> }[]

  constructor(
    listeners: Listener[],
    private readonly print: (line: string) => void,
  ) {
    this.queues = listeners.map(listener => ({ listener, last: Promise.resolve() }))
  }

  /** It begins. */
  start(subject: Subject): void {
    this.subject = subject
    this.tell("started", "")
  }

  /** Whether it has begun. */
  get begun(): boolean {
    return this.subject !== undefined
  }

  /** Another version is brought than was thought at the start: a number was taken in the meantime. */
  about(change: Pick<Subject, "version" | "commit">): void {
    if (this.subject) this.subject = { ...this.subject, ...change }
  }

  /**
   * Does what is told about, and tells how it ended, if it began.
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
      this.tell(stateOf(state), text, url)
      return result
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      this.tell(stateOf(text), error instanceof UserError ? text : firstLine(text))
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
    this.print(`warning: ${name} was not told: ${(error as Error).message.split("\n").join(" ")}`)
  }
}

async function inTime(listener: Listener, announcement: Announcement): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${patience} s`)), patience * 1000)
  })
  try {
    await Promise.race([listener.tell(announcement), late])
  } finally {
    clearTimeout(timer)
  }
}

/** The state that a result's or an error's first words name; any other error is a failure. */
function stateOf(text: string): State {
  const known: State[] = ["paused", "completed", "unchanged", "rolled back", "superseded", "timed out"]
  return known.find(state => text.startsWith(state)) ?? "failed"
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? ""
}
