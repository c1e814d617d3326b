import { type Facts, readCommits, readFacts } from "./facts.js"
import { missingTags, missingTagsError, shallowError } from "./fetch.js"
import { ContainerShell, gitContainer } from "./git.js"
import { findRemote, openWay, type Remote } from "./remote.js"
import type { Settings } from "./settings.js"
import { chooseBase, type Decision, decide, highestRelease } from "./version.js"

/** What is known of a commit before anything is done. */
export type Survey = {
  facts: Facts
  decision: Decision
  /** The version of the commit: the one that a release makes, else the current one. */
  version: string
  /** A shell with git, the repository and the way to its remote. */
  shell: ContainerShell
  remote?: Remote
  /** Why the remote's tags could not be looked at; undefined where they were. */
  unasked?: string
}

/**
 * Reads the history and decides the version. With a token the remote's tags, and a shallow clone's missing commits, are
 * fetched into a private copy first; without one the clone has to be whole.
 *
 * @throws UserError for a repository without commits, a shallow clone, missing tags, a number that is taken
 */
export async function survey(settings: Settings): Promise<Survey> {
  const { gitImage, source, gitDir, tagPrefix } = settings
  const shell = new ContainerShell(await gitContainer(gitImage, source, gitDir))
  const local = await readFacts(shell.run, tagPrefix)
  const remote = await findRemote({
    address: settings.gitRemote || local.origin,
    username: settings.gitUsername,
    token: settings.gitToken,
    endpoint: settings.gitEndpoint,
  })
  if (remote) openWay(shell, remote)
  const { facts, unasked } = await whole(shell, local, tagPrefix, remote)
  return { shell, remote, unasked, ...(await judged(shell, facts, settings)) }
}

/**
 * Looks at the remote's tags once more and decides anew, after another run has claimed the number.
 *
 * @param lost true where the number was lost to another commit: the next free one is taken
 */
export async function resurvey(found: Survey, settings: Settings, lost: boolean): Promise<Survey> {
  const { shell, remote } = found
  const facts = await readFacts(shell.run, settings.tagPrefix, remote?.url)
  return {
    ...found,
    unasked: remote ? facts.unfetched : found.unasked,
    ...(await judged(shell, facts, settings, lost)),
  }
}

async function judged({ run }: ContainerShell, facts: Facts, { path }: Settings, lost = false) {
  const onHead = highestRelease(facts.atHead)
  const commits = onHead ? [] : await readCommits(run, chooseBase(facts)?.tag ?? "", path)
  const decision = decide({ ...facts, commits }, lost)
  return { facts, decision, version: decision.next ?? decision.current ?? "" }
}

/** The facts of a whole history: mended from the remote where there is a token, else refused if parts are missing. */
async function whole(shell: ContainerShell, local: Facts, prefix: string, remote?: Remote) {
  const trusted = remote?.token !== undefined || remote?.service !== undefined
  const facts = trusted ? await readFacts(shell.run, prefix, remote?.url) : local
  let unasked = remote ? facts.unfetched : "there is no remote that a container can reach"
  if (facts.shallow && !highestRelease(facts.atHead)) throw shallowError(unasked)
  if (remote && !trusted) {
    const missing = await missingTags(shell.run, remote.url, facts, prefix)
    if (missing === undefined) unasked = "the remote does not answer without a token"
    else if (missing.length > 0) throw missingTagsError(missing)
  }
  if (unasked !== undefined && facts.noTags && facts.known.length === 0) throw missingTagsError([])
  return { facts, unasked }
}
