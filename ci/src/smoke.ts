import type { Aws } from "./aws/clients.js"
import type { DeployRun } from "./deploy.js"
import { DeployError, type DeployResult } from "./ecs/result.js"
import { currentRevision, describeRevision, readRevision, tagRevision } from "./ecs/revision.js"
import { describeService, openService, shiftsTraffic } from "./ecs/service.js"
import { smokedTag } from "./ecs/task-definition.js"
import { testUrlOf } from "./ecs/url.js"
import { runTask, TaskError } from "./run.js"
import { deploySet, rollbackSet } from "./service-set.js"

/** A command that says whether a new version works. */
export type Smoke = {
  /** A line for the image's `sh`; `$SMOKE_URL` is where the new version answers, if that is known. */
  command: string
  /** Where people reach the service. */
  url?: string
  repository: string
  tagPrefix?: string
}

/** The stage at which a new version can be checked before anybody gets it (ECS API reference, DeploymentLifecycleHook). */
const stage = "POST_TEST_TRAFFIC_SHIFT"
/** How much of a failed check's output goes into the error. */
const outputLines = 30

/**
 * Deploys as `deploySet` does, and checks the new version with a command that runs as a one-off task of its image: if traffic is shifted
 * (blue/green, canary, linear), while it only gets test traffic, otherwise once it is serving. If the check fails, the services go back.
 *
 * A pass is recorded on the task definition, so that if a run dies in between, the next one can finish it.
 *
 * @throws DeployError with the command's output: `rolled back` if it failed, and `failed` if there is nothing to go back to
 */
export async function deployChecked(aws: Aws, runs: DeployRun[], smoke: Smoke): Promise<DeployResult[]> {
  const [first] = runs
  if (!first || smoke.command === "") return deploySet(aws, runs, smoke)
  const shifts = shiftsTraffic(await describeService(await openService(aws, first)))
  let failure: string | undefined
  const check = async () => {
    const url = shifts ? await testUrlOf(aws, first) : smoke.url
    failure = await run(aws, first, smoke.command, url)
    return failure === undefined
  }
  const checked = shifts
    ? runs.map((it, at) => (at === 0 ? { ...it, checkpoint: { stage, check } } : it))
    : runs
  const ends = await deploySet(aws, checked, smoke).catch(error => {
    if (failure !== undefined && error instanceof DeployError)
      throw broken(error.word, first, error.message, failure)
    throw error
  })
  const [end] = ends
  if (!end || end.word === "paused" || shifts) return ends
  const target = await openService(aws, first)
  const { smoked } = readRevision(await describeRevision(target, end.revision), first.container)
  if (smoked) return ends
  if (await check()) {
    await tagRevision(
      target,
      end.revision,
      { [smokedTag]: new Date().toISOString() },
      [],
      first.print ?? console.log,
    )
    return ends
  }
  throw await goneBack(aws, runs, smoke, failure ?? "")
}

/**
 * Runs the command. Returns its output if it fails.
 *
 * @throws UserError if it could not be run: the next run of the same command checks again
 */
async function run(
  aws: Aws,
  run: DeployRun,
  command: string,
  url: string | undefined,
): Promise<string | undefined> {
  const { print = console.log } = run
  const output: string[] = []
  const line = url === undefined ? command : `export SMOKE_URL='${url.replaceAll("'", "'\\''")}'; ${command}`
  print("smoke check: started")
  try {
    await runTask(aws, {
      ...run,
      command: ["sh", "-c", line],
      print: text => {
        if (text.startsWith("  | ")) output.push(text.slice(4))
        print(text)
      },
    })
    print("smoke check: passed")
    return undefined
  } catch (error) {
    if (!(error instanceof TaskError)) {
      print("smoke check: could not be run, which says nothing about the version")
      throw error
    }
    print("smoke check: failed")
    return [error.message.split("\n")[0], ...output.slice(-outputLines)].join("\n")
  }
}

async function goneBack(aws: Aws, runs: DeployRun[], { repository, tagPrefix }: Smoke, output: string) {
  const [first, ...others] = runs as [DeployRun, ...DeployRun[]]
  const back = (it: DeployRun) => ({
    ...{
      cluster: it.cluster,
      service: it.service,
      container: it.container,
      someContainers: it.someContainers,
    },
    ...{ repository, tagPrefix, timeoutSeconds: it.timeoutSeconds, print: it.print },
  })
  try {
    const ends = await rollbackSet(aws, [back(first), ...others.map(back)])
    const waiting = ends.find(({ word }) => word === "paused")
    if (waiting)
      return broken("failed", first, `It still runs: going back waits for a person. ${waiting.text}`, output)
  } catch (error) {
    return broken("failed", first, `It could not go back: ${(error as Error).message}`, output)
  }
  const { version } = await currentRevision(aws, first)
  return broken("rolled back", first, `${version ?? "the version before"} is live again`, output)
}

function broken(
  word: DeployError["word"],
  { cluster, service, version }: DeployRun,
  what: string,
  output: string,
) {
  return new DeployError(
    word,
    `: ${version} did not pass its smoke check on ${cluster}/${service}`,
    `${output}\n${what}`,
    "Fix it and release again.",
  )
}
