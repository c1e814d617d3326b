import { fetchHistory, missingTags, missingTagsError, shallowError } from "../git/fetch.js"
import { type Facts, readCommits, readFacts } from "../git/head.js"
import { findRemote, type Remote } from "../git/remote.js"
import { ContainerShell, gitContainer } from "../git/repository.js"
import { UserError } from "../lib/errors.js"
import type { Settings } from "../settings.js"
import { chooseBase, type Decision, decide, highestRelease } from "./decide.js"

/** A commit that is checked out, with a shell to ask git about it. */
export type Checkout = { facts: Facts; shell: ContainerShell }

/** What is known of a commit before anything is done. */
export type Survey = Checkout & {
  decision: Decision
  /** The version of the commit: the one that a release makes, else the current one. */
  version: string
  remote?: Remote
  /** Why the remote's tags could not be looked at; undefined if they were. */
  unasked?: string
  /** Whether the remote has the release branch. */
  hasBranch: boolean
}

/**
 * Opens the repository at the commit that is checked out. The remote isn't asked and no version is decided.
 *
 * @throws UserError if the source is no repository, or one without commits
 */
export async function openCheckout({ gitImage, source, gitDir, tagPrefix }: Settings): Promise<Checkout> {
  const shell = new ContainerShell(await gitContainer(gitImage, source, gitDir))
  return { shell, facts: await readFacts(shell.run, tagPrefix) }
}

/**
 * Reads the history and decides the version. With a token the remote's tags, and a shallow clone's missing commits, are
 * fetched into a private copy first; without one the clone has to be whole.
 *
 * @param options.branch true to ask a remote that there is a token for about the release branch as well
 * @param options.release true for what claims a version: the remote is asked about the release branch even without a token
 * @throws UserError for a repository without commits, a shallow clone, missing tags, a number that is taken
 */
export async function survey(
  settings: Settings,
  { release = false, branch = release }: { release?: boolean; branch?: boolean } = {},
): Promise<Survey> {
  const { shell, facts: local } = await openCheckout(settings)
  const remote = await findRemote({
    address: settings.gitRemote || local.origin,
    username: settings.gitUsername,
    token: settings.gitToken,
    endpoint: settings.gitEndpoint,
  })
  if (remote) shell.open(remote.way)
  const found = await whole(shell, local, settings, { release, branch }, remote)
  return { shell, remote, ...found, ...(await judged(shell, found.facts, settings)) }
}

/**
 * Looks at the remote's tags once more and decides anew, after another run may have claimed a number.
 *
 * @param lost true if the number was lost to another commit: the next free one is taken
 */
export async function resurvey(found: Survey, settings: Settings, lost: boolean): Promise<Survey> {
  const { shell, remote } = found
  if (!remote) return found
  const { failed } = await fetchHistory(shell.remote, remote.url, settings.tagPrefix)
  const facts = await readFacts(shell.run, settings.tagPrefix)
  return { ...found, unasked: failed, ...(await judged(shell, facts, settings, lost)) }
}

/**
 * Why a commit may not be released, with what to push or to pass: it was not pushed, or is on another branch than the one that
 * releases are made of. Undefined if the release branch holds it.
 */
export function offBranch(
  { facts, remote, version, unasked, hasBranch }: Survey,
  { branch, tagPrefix }: Settings,
): UserError | undefined {
  if (facts.onBranch) return undefined
  const commit = facts.head.slice(0, 7)
  const name = branch === "" ? "the remote's default branch" : `the remote's branch ${branch}`
  if (!remote || unasked !== undefined) {
    return new UserError(
      `${tagPrefix}v${version} cannot be claimed: ${name} could not be asked whether it holds ${commit}.`,
      unasked,
      "Pass the remote's HTTPS address (--git-remote) and a token that may push tags (--git-token env://GITHUB_TOKEN).",
    )
  }
  return new UserError(
    hasBranch
      ? `${commit} cannot be released: ${name} does not hold this commit.`
      : `${commit} cannot be released: ${remote.url} has no such branch (${name}).`,
    "A release is made of what the release branch holds, so that nothing reaches production that nobody else can see.",
    "Push or merge the commit first (git push), or name the branch that releases are made of: --branch",
  )
}

async function judged({ run }: ContainerShell, facts: Facts, { path }: Settings, lost = false) {
  const onHead = highestRelease(facts.atHead)
  const commits = onHead ? [] : await readCommits(run, chooseBase(facts)?.tag ?? "", path)
  const decision = decide({ ...facts, commits }, lost)
  return { facts, decision, version: decision.next ?? decision.current ?? "" }
}

/** The facts of a whole history: completed from the remote if there is a token, else refused if parts are missing. */
async function whole(
  { run, remote: ask }: ContainerShell,
  local: Facts,
  { tagPrefix: prefix, branch: name }: Settings,
  { release, branch }: { release: boolean; branch: boolean },
  remote?: Remote,
): Promise<Pick<Survey, "facts" | "unasked" | "hasBranch">> {
  let [facts, hasBranch] = [local, false]
  let unasked = remote ? undefined : "there is no remote that a container can reach"
  if (remote && (remote.trusted || release)) {
    const fetched = await fetchHistory(ask, remote.url, prefix, branch ? { branch: name } : undefined)
    facts = await readFacts(run, prefix)
    unasked = fetched.failed
    hasBranch = fetched.hasBranch
  }
  if (facts.shallow && !highestRelease(facts.atHead)) throw shallowError(unasked)
  if (remote && !remote.trusted && !release) {
    const missing = await missingTags(ask, remote.url, facts, prefix)
    if (missing === undefined) unasked = "the remote does not answer without a token"
    else if (missing.length > 0) throw missingTagsError(missing)
  }
  if (unasked !== undefined && facts.noTags && facts.known.length === 0) throw missingTagsError([])
  return { facts, unasked, hasBranch }
}
