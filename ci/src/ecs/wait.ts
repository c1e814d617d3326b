import { explain, passing } from "../aws/errors.js"
import type { Service, ServiceDeployment, Task } from "../aws/types.js"
import { UserError } from "../lib/errors.js"
import {
  type Followed,
  followedIn,
  initialState,
  type Judgement,
  judge,
  type WaitState,
  wantsServiceDeployment,
} from "./judge.js"
import { describePause, type Pause, pauseOf, resume } from "./pause.js"
import { type Printed, progress, taskCounts } from "./progress.js"
import {
  describeService,
  errorContext,
  primaryOf,
  rollsBack,
  shiftsTraffic,
  shortName,
  type Target,
} from "./service.js"
import { describeServiceDeployment, findServiceDeployment } from "./service-deployment.js"
import { failures, readStopped } from "./stopped-tasks.js"

/** How a deployment ended, that the time ran out, or that ECS waits for a person. */
export type Ending = (
  | Judgement
  | { word: "timed out"; why: string; now?: string }
  | { word: "paused"; why: string; pause: Pause; now?: string }
) & {
  /** The service as it was last seen. */
  service: Service
  /** Seconds from the start of following to the end. */
  seconds: number
  /** Every stopped task that was read. */
  stopped: Task[]
}

export type FollowOptions = {
  /** Ids of the events that were there before the deployment: they are not its own. */
  knownEvents: Iterable<string>
  /** When the deployment was created, by ECS's clock: earlier tasks and records belong to another one. */
  since?: Date
  /** ARN of its service deployment, if that is known. */
  serviceDeployment?: string
  timeoutSeconds: number
  /** Keep following while ECS waits for a person; that time does not count. Otherwise the end is `paused`. */
  waitForApproval?: boolean
  /** Called once for each pause that a person has to answer, while the deployment is followed. */
  onPause?: (text: string) => void
  /** Decides at a stage's PAUSE hook whether the deployment continues, before a person is asked. */
  checkpoint?: Checkpoint
  print: (line: string) => void
}

/** A check at a stage of a deployment. */
export type Checkpoint = {
  stage: string
  /** Whether the new version is good: if so, the deployment continues; otherwise ECS rolls it back. */
  check: () => Promise<boolean>
  /** Whether a person is asked as well, once the check has passed. */
  alsoAsk?: boolean
}

/** Everything that a poll changes. */
type Following = {
  judged: WaitState
  printed: Printed
  record?: string
  recordTries: number
  /** Tasks whose end was printed. */
  printedTasks: Set<string>
  stopped: Task[]
  /** Running, pending and failed tasks at the last poll, and when stopped tasks were last read. */
  counts?: { alive: number; failed: number }
  askedAt: number
  /** When ECS last said something new. */
  changedAt: number
  /** Where ECS waits for a person, as of the last poll, and for how many seconds it has waited. */
  pause?: Pause
  paused: number
  /** Hooks whose check has run, and those that the check has answered. */
  checked: Set<string>
  answered: Set<string>
  /** Hooks that were already reported as waiting for a person. */
  announcedPauses: Set<string>
}

/** How often to look for the service deployment before going on without it: ECS lists it a moment after the update. */
const recordTries = 15
/** Seconds after the timeout at which a poll that is still in progress is abandoned. */
const grace = 60
/** Seconds between reads of the stopped tasks if no count shows one. */
const stoppedInterval = 60
/** Seconds between polls while ECS waits for a person. */
const pausedInterval = 10

/**
 * Seconds to wait before the next poll, depending on how long ago ECS last reported something new: a task that started, an event, a stage.
 * A deployment that has just changed will change again soon, for example at the end, when old tasks stop. One that has not changed for a
 * while is waiting for something slow and is polled rarely: 18 times in five minutes. The delay is a second at
 * first, then 70 % of the time since the last change, up to 30 seconds; while traffic shifts, up to 5, so that no stage is missed.
 */
export function secondsToNextPoll(still: number, shifts = false): number {
  return still < 4 ? 1 : Math.min(shifts ? 5 : 30, still * 0.7)
}

/**
 * Follows one deployment to its end, printing what happens. Calls per poll: one DescribeServices; one more for the service
 * deployment if traffic is shifted or another deployment took over; two for stopped tasks if some stopped.
 *
 * @returns how it ended; `timed out` if it had not after `timeoutSeconds`: ECS continues with it; `paused` if ECS waits for a person
 * @throws UserError if AWS refuses for good: the deployment continues, and the error says so
 */
export async function follow(target: Target, followed: Followed, options: FollowOptions): Promise<Ending> {
  const start = Date.now()
  const elapsed = () => (Date.now() - start) / 1000
  const print = (line: string) => options.print(`${String(Math.round(elapsed())).padStart(4)} s  ${line}`)
  const known = new Set(options.knownEvents)
  const state: Following = {
    judged: initialState(known),
    printed: { events: known },
    record: options.serviceDeployment,
    recordTries: 0,
    printedTasks: new Set(),
    stopped: [],
    askedAt: 0,
    changedAt: 0,
    paused: 0,
    checked: new Set(),
    answered: new Set(),
    announcedPauses: new Set(),
  }
  /** Seconds that count against the timeout: those in which the deployment was not waiting for a person. */
  const active = () => elapsed() - state.paused
  let turn = 0
  let service: Service | undefined
  for (;;) {
    // Everything since the last turn, including the time that this machine was asleep.
    if (state.pause) state.paused += elapsed() - turn
    turn = elapsed()
    try {
      const judgement = await within(
        state.pause ? grace : options.timeoutSeconds + grace - active(),
        async () => {
          service = await describeService(target)
          return look(target, followed, options, state, service, elapsed(), print)
        },
      )
      const seen = { seconds: elapsed(), stopped: state.stopped }
      if (judgement && service) return { ...judgement, service, ...seen }
      const pause = state.pause && (await checked(target, state.pause, state, options))
      const why = pause && `ECS waits for ${describePause(pause)}`
      if (why && service && !options.waitForApproval) return { word: "paused", why, pause, service, ...seen }
      if (why && !state.announcedPauses.has(pause.hookId)) {
        state.announcedPauses.add(pause.hookId)
        options.onPause?.(`paused: ${why}`)
      }
    } catch (error) {
      if (!passing(error)) throw goesOn(error, target)
      print(`AWS did not answer (${(error as Error).name}); asking again`)
    }
    if (!state.pause && active() >= options.timeoutSeconds && service) {
      const why = stateOf(followed, state.judged, service)
      const now = primaryOf(service)?.taskDefinition
      return { word: "timed out", why, now, service, seconds: elapsed(), stopped: state.stopped }
    }
    if (!state.pause && active() >= options.timeoutSeconds + grace) {
      throw goesOn(new UserError(`AWS did not answer for ${Math.round(elapsed())} s.`), target)
    }
    const left = Math.max(0.2, options.timeoutSeconds - active())
    const seconds = state.pause
      ? pausedInterval
      : Math.min(secondsToNextPoll(elapsed() - state.changedAt, service && shiftsTraffic(service)), left)
    await new Promise(resolve => setTimeout(resolve, seconds * 1000))
  }
}

/** Runs the check that belongs to a pause, once. Returns the pause if a person has to answer it. */
async function checked(
  target: Target,
  pause: Pause,
  state: Following,
  { checkpoint }: FollowOptions,
): Promise<Pause | undefined> {
  // ECS may show a hook as waiting for a moment after it was answered.
  if (state.answered.has(pause.hookId)) return undefined
  if (checkpoint?.stage !== pause.stage || state.checked.has(pause.hookId)) return pause
  const isGood = await checkpoint.check()
  state.checked.add(pause.hookId)
  if (isGood && checkpoint.alsoAsk) return pause
  await resume(target, pause, isGood ? "CONTINUE" : "ROLLBACK")
  state.answered.add(pause.hookId)
  return undefined
}

/** Waits for work, but no longer than the given seconds. */
async function within<T>(seconds: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const error = Object.assign(new Error("time is up"), { name: "TimeoutError" })
    timer = setTimeout(() => reject(error), Math.max(0, seconds) * 1000)
  })
  try {
    return await Promise.race([work(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** One poll: read what is needed, print what is new, judge. */
async function look(
  target: Target,
  followed: Followed,
  { since }: FollowOptions,
  state: Following,
  service: Service,
  elapsed: number,
  print: (line: string) => void,
): Promise<Judgement | undefined> {
  const record = wantsServiceDeployment(followed, service)
    ? await serviceDeployment(target, followed, since ?? followedIn(followed, service)?.createdAt, state)
    : undefined
  state.pause = pauseOf(record)
  const observation = { service, record, elapsed }
  const update = progress(followed, state.printed, observation)
  state.printed = update.printed
  for (const line of update.lines) print(line)
  if (update.lines.length > 0) state.changedAt = elapsed
  const judged = judge(followed, state.judged, observation)
  if (record === undefined && judged.state.failedAt !== undefined && state.judged.failedAt === undefined) {
    const why = judged.state.reason ? `: ${judged.state.reason.replace(/\.$/, "")}` : ""
    print(`the deployment failed${why}${rollsBack(service) ? "; ECS is going back" : ""}`)
  }
  state.judged = judged.state
  // Once it has completed, make no more calls: a failing one would turn success into an error.
  if (judged.judgement?.word === "completed") return judged.judgement
  if (judged.judgement !== undefined || mayHaveStopped(followed, service, state, elapsed)) {
    state.askedAt = elapsed
    state.stopped = await readStopped(target, state.stopped, print)
    for (const { task, text } of failures(state.stopped, followed.revision, since).reverse()) {
      if (state.printedTasks.has(task.taskArn ?? "")) continue
      state.printedTasks.add(task.taskArn ?? "")
      print(`task ${shortName(task.taskArn).slice(0, 8)} stopped: ${text}`)
    }
  }
  return judged.judgement
}

async function serviceDeployment(
  target: Target,
  followed: Followed,
  since: Date | undefined,
  state: Following,
): Promise<ServiceDeployment | undefined> {
  if (state.record === undefined && since !== undefined && state.recordTries < recordTries) {
    state.recordTries += 1
    state.record = await findServiceDeployment(target, followed.revision, since)
  }
  return state.record === undefined ? undefined : describeServiceDeployment(target, state.record)
}

/** What the deployment was doing when the time ran out. */
function stateOf(followed: Followed, state: WaitState, service: Service): string {
  const ours = followedIn(followed, service)
  const primary = primaryOf(service)
  if (state.failedAt !== undefined && primary !== ours) {
    return `the deployment failed${state.reason ? ` (${state.reason})` : ""} and ECS is still going back to ${shortName(primary?.taskDefinition)}`
  }
  const counts = ours ? taskCounts(ours) : "not in ECS's list"
  if (rollsBack(service))
    return `still in progress (${counts}); ECS continues and rolls back by itself if it fails`
  const traffic = shiftsTraffic(service) ? "its traffic shift" : "its tasks"
  return `still in progress (${counts}); ECS continues with ${traffic}, and the service has no automatic rollback`
}

/** An error while following: the deployment continues without us. */
function goesOn(error: unknown, target: Target): unknown {
  const explained = explain(error, errorContext(target))
  if (explained instanceof Error) {
    explained.message += "\nThe deployment continues in ECS: run the same command again to follow it."
  }
  return explained
}

/** Whether one of our tasks may have stopped: a count shows it, or tasks have been missing for some time. */
function mayHaveStopped(followed: Followed, service: Service, state: Following, elapsed: number): boolean {
  const ours = followedIn(followed, service)
  const { runningCount = 0, pendingCount = 0, failedTasks = 0, desiredCount = 0 } = ours ?? {}
  const before = state.counts
  const now = { alive: runningCount + pendingCount, failed: failedTasks }
  state.counts = now
  if (before === undefined) return false
  const waits = ours !== undefined && runningCount < desiredCount
  return (
    now.failed > before.failed ||
    now.alive < before.alive ||
    (waits && elapsed - state.askedAt >= stoppedInterval)
  )
}
