import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { config } from "../../infra/config.js"
import { worldReset } from "../sandbox.js"
import { BuildError } from "./errors.js"
import { callFromLaptop } from "./laptop.js"
import { type Live, lookAt } from "./live.js"
import type { BuildLog } from "./log.js"
import { lendPackages } from "./packages.js"
import { type Change, changeApp, cloneToWork, push } from "./rehearsalChange.js"
import type { BuildResult } from "./run.js"
import type { Sandbox } from "./sandbox.js"
import { sandboxOf, startBuild } from "./start.js"

/** All that a rehearsal saw. */
export interface Rehearsal {
  /** What the first release, from the laptop, said. */
  first: string
  before: Live
  change: Change
  project: string
  result: BuildResult
  after: Live
  /** What a release of the same commit from the laptop says after the build's, and what there is to see then. */
  again: string
  afterAgain: Live
}

/**
 * Rehearses a push to release in a sandbox of its own, which is empty at the start and gone at the end: a laptop releases
 * HEAD; a change of the app is pushed; the webhook's event starts the build, which releases it; the laptop releases the
 * same commit once more.
 *
 * @param options.stateDir folder for the sandbox
 * @param options.source repository to rehearse with: its HEAD
 * @param options.visit called while the new version is live
 * @throws Error where a step fails, or the signal's reason
 */
export async function rehearse(options: {
  checkout: string
  stateDir: string
  source: string
  log: BuildLog
  visit?: (sandbox: Sandbox, folder: string) => Promise<void>
  /** Fires with STOPPED where it is to end. */
  signal?: AbortSignal
}): Promise<Rehearsal> {
  const { checkout, stateDir, source, log, signal } = options
  const { branch } = config.source
  const workspace = mkdtempSync(join(tmpdir(), "rehearsal-"))
  const folder = join(workspace, basename(checkout))
  try {
    await worldReset(stateDir, line => log.say(line))
    await cloneToWork(source, folder, branch)
    lendPackages(checkout, workspace, folder)
    const sandbox = await sandboxOf({ stateDir, source: folder, log })
    const laptop = () => callFromLaptop(checkout, sandbox, folder, ["release"])
    log.say("A laptop releases HEAD")
    const first = await laptop()
    signal?.throwIfAborted()
    const before = await lookAt(sandbox)
    const change = await changeApp(folder)
    log.say(`Pushing ${change.commit} to ${branch}`)
    const event = await push(folder, sandbox, branch)
    const { result, project } = await startBuild({ checkout, stateDir, source: folder, event, log, signal })
    signal?.throwIfAborted()
    const failed = result.phases.find(({ state }) => state !== "SUCCEEDED")
    if (failed) throw new BuildError(`The build failed in ${failed.name}: ${failed.message}`)
    const after = await lookAt(sandbox)
    log.say("The laptop releases the same commit")
    const again = await laptop()
    const afterAgain = await lookAt(sandbox)
    await options.visit?.(sandbox, folder)
    return { first, before, change, project: project.name, result, after, again, afterAgain }
  } finally {
    await worldReset(stateDir, line => log.say(line))
    rmSync(workspace, { recursive: true, force: true })
  }
}
