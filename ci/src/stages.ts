import { UserError } from "./lib/errors.js"
import { table } from "./lib/table.js"
import type { Settings } from "./settings.js"

/** A stage of an app, such as staging or production. Images go from one stage to the next. */
export type Stage = {
  name: string
  /** The stage that an image has to complete in first. */
  after?: string
  /** How the stage gets an image from another registry: by a copy in its own registry, or pulled by ECS from there. */
  images: "copy" | "pull"
  settings: Settings
}

/**
 * Checks the order of the stages: each one's predecessor exists, none comes after itself, and no two are the same service.
 *
 * @param at returns a stage's place in the file
 * @returns the stages, each after its predecessor
 * @throws UserError for the first mistake
 */
export function ordered(stages: Stage[], at: (name: string) => string): Stage[] {
  const done: Stage[] = []
  const add = (stage: Stage, path: string[]): void => {
    if (done.includes(stage)) return
    if (path.includes(stage.name)) {
      const circle = [...path.slice(path.indexOf(stage.name)), stage.name].join(", which comes after ")
      throw mistake(at(stage.name), `the stages form a circle: ${circle}`)
    }
    if (stage.after !== undefined) {
      const before = stages.find(({ name }) => name === stage.after)
      if (!before)
        throw mistake(at(stage.name), `${stage.name} comes after "${stage.after}", which is not a stage`)
      add(before, [...path, stage.name])
    }
    done.push(stage)
  }
  for (const stage of stages) add(stage, [])
  for (const [place, stage] of done.entries()) {
    const same = done.slice(0, place).find(other => placeOf(other.settings) === placeOf(stage.settings))
    if (same) {
      throw mistake(
        at(stage.name),
        `${same.name} and ${stage.name} are the same service; give each its own service, cluster, region or account`,
      )
    }
  }
  return done
}

function mistake(at: string, what: string): UserError {
  return new UserError(`${at}: ${what}.`, "", "Correct the stages in ecs-release.yaml.")
}

function placeOf({ account, roleArn, region, cluster, service }: Settings): string {
  return JSON.stringify([account || roleArn, region, cluster, service])
}

/**
 * The stage that is named.
 *
 * @throws UserError if there is none of that name
 */
export function stageNamed(stages: Stage[], name: string): Stage {
  const found = stages.find(it => it.name === name)
  if (found) return found
  const known = stages.map(it => it.name).join(", ")
  throw new UserError(
    `There is no stage "${name.slice(0, 100)}" in ecs-release.yaml.`,
    known === "" ? "It has no stages." : `It has: ${known}.`,
    "Pass --stage with one of them.",
  )
}

/** The stage that a release goes to if none is named: the only one without a predecessor; undefined unless there is exactly one. */
export function firstStage(stages: Stage[]): Stage | undefined {
  const first = stages.filter(({ after }) => after === undefined)
  return first.length === 1 ? first[0] : undefined
}

/**
 * Checks that a release may go to a stage: a stage that comes after another only gets images that completed there.
 *
 * @param name the stage that is named, "" for none
 * @throws UserError if it may not, or if it is not clear which stage is meant
 */
export function assertFirst(stages: Stage[], name: string): void {
  const stage = name === "" ? firstStage(stages) : stageNamed(stages, name)
  if (stages.length === 0 || (stage && stage.after === undefined)) return
  if (stage) {
    throw new UserError(
      `${stage.name} comes after ${stage.after}: it only gets versions that completed there, not its own releases.`,
      "",
      `Promote it: dagger call promote --to ${stage.name}`,
    )
  }
  const first = stages.filter(({ after }) => after === undefined)
  throw new UserError(
    `${first.map(({ name }) => name).join(" and ")} come after no other stage.`,
    "",
    "Pass --stage to say which one you mean, or say in ecs-release.yaml what each comes after.",
  )
}

/**
 * The stage before another.
 *
 * @throws UserError if it comes after none
 */
export function stageBefore(stages: Stage[], { name, after }: Stage): Stage {
  if (after !== undefined) return stageNamed(stages, after)
  throw new UserError(
    `The stage ${name} comes after no other stage, so there is nothing to promote to it.`,
    "",
    `Release to it: dagger call release --stage ${name}, or say in ecs-release.yaml what it comes after.`,
  )
}

/** What is known about a stage before anything is asked, for JSON. */
export function stageFacts({ name, after, settings }: Stage) {
  const { region, account, cluster, service, approval } = settings
  const facts = { name, after, region, account, cluster, service, approval }
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value))
}

/** The error for a call that changes what runs, and does not say where. */
export function unclear(stages: Stage[]): UserError {
  return new UserError(
    "It is not clear which stage you mean.",
    `ecs-release.yaml has: ${stages.map(({ name }) => name).join(", ")}.`,
    "Pass --stage with one of them, before the function's name.",
  )
}

/** The order of the stages as a picture: a line each, indented under the one that it comes after. Pure. */
export function picture(stages: Stage[]): string {
  const depth = (stage: Stage): number => {
    const before = stages.find(({ name }) => name === stage.after)
    return before ? depth(before) + 1 : 0
  }
  const below = (name?: string): Stage[] =>
    stages.filter(({ after }) => after === name).flatMap(stage => [stage, ...below(stage.name)])
  return table(
    below().map(stage => {
      const { region, account, cluster, service, approval } = stage.settings
      const place = [region, account && `account ${account}`].filter(Boolean).join(", ")
      const arrow = stage.after === undefined ? "" : `${"   ".repeat(depth(stage) - 1)}└─ `
      return [`${arrow}${stage.name}`, `${cluster}/${service}`, place, approval && `approval at ${approval}`]
    }),
  )
}
