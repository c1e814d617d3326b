import { fetchHistory, missingTags, missingTagsError, shallowError } from "../git/fetch.js"
import { type Head, readCommits, readHead } from "../git/head.js"
import { findRemote, type Remote } from "../git/remote.js"
import { ContainerShell, gitContainer } from "../git/repository.js"
import { UserError } from "../lib/errors.js"
import type { Settings } from "../settings.js"
import { chooseBase, type Decision, decide, highestRelease } from "./decide.js"

/** A commit that is checked out, with a shell to ask git about it. */
export type Checkout = { head: Head; shell: ContainerShell }

/** What is known of a commit before anything is done. */
export type ComputedVersion = Checkout & {
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
  return { shell, head: await readHead(shell.run, tagPrefix) }
}

/**
 * Reads the history and decides the version. With a token the remote's tags, and a shallow clone's missing commits, are
 * fetched into a private copy first; without one the clone has to be whole.
 *
 * @param options.branch true to ask a remote that there is a token for about the release branch as well
 * @param options.release true for what claims a version: the remote is asked about the release branch even without a token
 * @throws UserError for a repository without commits, a shallow clone, missing tags, a number that is taken
 */
export async function computeVersion(
  settings: Settings,
  { release = false, branch = release }: { release?: boolean; branch?: boolean } = {},
): Promise<ComputedVersion> {
  const { shell, head: local } = await openCheckout(settings)
  const remote = await findRemote({
    address: settings.gitRemote || local.origin,
    username: settings.gitUsername,
    token: settings.gitToken,
    endpoint: settings.gitEndpoint,
  })
  if (remote) shell.open(remote.way)
  const found = await whole(shell, local, settings, { release, branch }, remote)
  return { shell, remote, ...found, ...(await judged(shell, found.head, settings)) }
}

/**
 * Looks at the remote's tags once more and decides anew, after another run may have claimed a number.
 *
 * @param lost true if the number was lost to another commit: the next free one is taken
 */
export async function recomputeVersion(
  found: ComputedVersion,
  settings: Settings,
  lost: boolean,
): Promise<ComputedVersion> {
  const { shell, remote } = found
  if (!remote) return found
  const { failed } = await fetchHistory(shell.remote, remote.url, settings.tagPrefix)
  const head = await readHead(shell.run, settings.tagPrefix)
  return { ...found, unasked: failed, ...(await judged(shell, head, settings, lost)) }
}

/**
 * Why a commit may not be released, with what to push or to pass: it was not pushed, or is on another branch than the one that
 * releases are made of. Undefined if the release branch holds it.
 */
export function offBranch(
  { head, remote, version, unasked, hasBranch }: ComputedVersion,
  { branch, tagPrefix }: Settings,
): UserError | undefined {
  if (head.onBranch) return undefined
  const commit = head.sha.slice(0, 7)
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

async function judged({ run }: ContainerShell, head: Head, { path }: Settings, lost = false) {
  const onHead = highestRelease(head.atHead)
  const commits = onHead ? [] : await readCommits(run, chooseBase(head)?.tag ?? "", path)
  const decision = decide({ ...head, commits }, lost)
  return { head, decision, version: decision.next ?? decision.current ?? "" }
}

/** The facts of a whole history: completed from the remote if there is a token, else refused if parts are missing. */
async function whole(
  { run, remote: ask }: ContainerShell,
  local: Head,
  { tagPrefix: prefix, branch: name }: Settings,
  { release, branch }: { release: boolean; branch: boolean },
  remote?: Remote,
): Promise<Pick<ComputedVersion, "head" | "unasked" | "hasBranch">> {
  let [head, hasBranch] = [local, false]
  let unasked = remote ? undefined : "there is no remote that a container can reach"
  if (remote && (remote.trusted || release)) {
    const fetched = await fetchHistory(ask, remote.url, prefix, branch ? { branch: name } : undefined)
    head = await readHead(run, prefix)
    unasked = fetched.failed
    hasBranch = fetched.hasBranch
  }
  if (head.shallow && !highestRelease(head.atHead)) throw shallowError(unasked)
  if (remote && !remote.trusted && !release) {
    const missing = await missingTags(ask, remote.url, head, prefix)
    if (missing === undefined) unasked = "the remote does not answer without a token"
    else if (missing.length > 0) throw missingTagsError(missing)
  }
  if (unasked !== undefined && head.noTags && head.known.length === 0) throw missingTagsError([])
  return { head, unasked, hasBranch }
}
