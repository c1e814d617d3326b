import { type Checkout, openRemote } from "../git/checkout.js"
import { fetchHead, headWithMissing, missingTagsError, shallowError } from "../git/fetch.js"
import { type Head, readHead } from "../git/head.js"
import { pathsOf, readCommits } from "../git/log.js"
import type { Remote } from "../git/remote.js"
import { openRepository, type Repository } from "../git/repository.js"
import { UserError } from "../lib/errors.js"
import { type Settings, sourceOf } from "../settings.js"
import { chooseBase, type Decision, decide, highestRelease } from "./decide.js"

/** The version of a commit, and what is known about it. */
export type ComputedVersion = Checkout & {
  decision: Decision
  /** The version that a release would make, or else the current one. */
  version: string
  remote?: Remote
  /** Why the remote's tags could not be read; undefined if they were. */
  unasked?: string
  /** Whether the remote has the release branch. */
  hasBranch: boolean
}

/**
 * Reads the history and decides the version. With a token the remote's tags, and a shallow clone's missing commits, are
 * fetched into a private copy first; without one the clone has to be complete.
 *
 * @param options.branch true to ask about the release branch too, if there is a token for the remote
 * @param options.release true if a version will be claimed: the remote is asked about the release branch even without a token
 * @throws UserError for a repository without commits, a shallow clone, missing tags, or a number that is taken
 */
export async function computeVersion(
  settings: Settings,
  { release = false, branch = release }: { release?: boolean; branch?: boolean } = {},
): Promise<ComputedVersion> {
  const { gitImage, gitDir, tagPrefix } = settings
  const repository = await openRepository(gitImage, sourceOf(settings), gitDir, tagPrefix)
  const remote = await openRemote(repository, settings)
  const found = await wholeHead(repository, settings, { release, branch }, remote)
  const computed = await decideAt(repository, found.head, settings, { release })
  return { repository, remote, ...found, ...computed }
}

/**
 * Reads the remote's tags once more and decides again, after another run may have claimed a number.
 *
 * @param lost true if the number was lost to another commit: the next free one is taken
 * @throws UserError if the remote does not answer
 */
export async function recomputeVersion(
  found: ComputedVersion,
  settings: Settings,
  lost: boolean,
): Promise<ComputedVersion> {
  const { repository, remote, version } = found
  if (!remote) return found
  const { tagPrefix, path } = settings
  const { head, failed } = await fetchHead(repository.history.remote, remote.url, tagPrefix, path)
  if (failed !== undefined) throw notAsked(version, failed)
  return { ...found, ...(await decideAt(repository, head, settings, { release: true, lost })) }
}

/**
 * Why a commit may not be released, with what to push or to pass: it was not pushed, or is not on the branch that
 * releases are made from. Undefined if the release branch contains it.
 */
export function offBranch(
  { head, remote, version, unasked, hasBranch }: ComputedVersion,
  { branch, tagPrefix }: Settings,
): UserError | undefined {
  if (head.onBranch && unasked === undefined) return undefined
  const commit = head.sha.slice(0, 7)
  const name = branch === "" ? "the remote's default branch" : `the remote's branch ${branch}`
  if (!remote || unasked !== undefined) {
    return new UserError(
      `${tagPrefix}v${version} cannot be claimed: it is not known whether ${name} contains ${commit}.`,
      unasked,
      "Pass the remote's HTTPS address (--git-remote) and a token that may push tags (--git-token env://GITHUB_TOKEN).",
    )
  }
  return new UserError(
    hasBranch
      ? `${commit} cannot be released: ${name} does not contain this commit.`
      : `${commit} cannot be released: ${remote.url} has no such branch (${name}).`,
    "Releases are made only from the release branch, so that nothing reaches production that others cannot see.",
    "Push or merge the commit first (git push), or name the branch to release from: --branch",
  )
}

/** The commit whose image a release deploys: HEAD, or, if HEAD brings nothing new, the one with the version's tag. */
export function commitToDeploy(found: ComputedVersion): string {
  const { version, head } = found
  if (!nothingToRelease(found)) return head.sha
  return head.merged.find(tag => tag.version === version)?.commit ?? head.sha
}

/** Whether the commits since the last version change nothing; HEAD itself may be that version. */
export function nothingToRelease({ decision, version, head }: ComputedVersion): boolean {
  return decision.next === null && !head.atHead.some(tag => tag.version === version)
}

/** What to say about a commit that brings nothing new, judging by the history; undefined if it does bring something. */
export function nothingToDo(found: ComputedVersion): string | undefined {
  const { decision, version } = found
  if (decision.supersededBy !== null) return superseded(found, decision.supersededBy)
  if (!nothingToRelease(found)) return undefined
  return `${decision.reason}; a release would only make sure that the service runs ${version}\n`
}

/** What to say about a commit that is older than what is released. */
export function superseded({ head }: ComputedVersion, by: string): string {
  return (
    `superseded: ${head.sha.slice(0, 7)} is older than ${by} on a newer commit; nothing is deployed\n` +
    `→ To run an older version on purpose: rollback --to, or deploy --image\n`
  )
}

function notAsked(version: string, why: string): UserError {
  return new UserError(
    `The remote did not say whether a newer version than ${version} was claimed in the meantime.`,
    why,
    "Nothing is lost: run the same command again once the remote answers.",
  )
}

async function decideAt(
  { history }: Repository,
  head: Head,
  { path }: Settings,
  options: { release: boolean; lost?: boolean },
) {
  const onHead = highestRelease(head.atHead)
  const base = chooseBase(head)?.tag ?? ""
  const read = async () =>
    head.since?.tag === base ? head.since.commits : readCommits(history.run, base, path)
  const commits = onHead ? [] : await read()
  const decision = decide({ ...head, commits, path: pathsOf(path) }, options)
  return { head, decision, version: decision.next ?? decision.current ?? "" }
}

/** HEAD as it was found, and the remote's tags on its history that are missing here. */
type Looked = Pick<ComputedVersion, "head" | "unasked" | "hasBranch"> & { missing?: string[] }

/** HEAD with a complete history: fetched from the remote if there is a token, refused if parts are still missing. */
async function wholeHead(
  { history, source }: Repository,
  { tagPrefix: prefix, branch: name, path }: Settings,
  { release, branch }: { release: boolean; branch: boolean },
  remote?: Remote,
): Promise<Looked> {
  const fetches = remote !== undefined && (remote.trusted || release)
  const look = async (): Promise<Looked> => {
    if (!remote) {
      const unasked = "there is no remote that a container can reach"
      return { head: await readHead(history.run, prefix, path), hasBranch: false, unasked }
    }
    if (fetches) {
      const asked = branch ? { branch: name } : undefined
      const { failed, ...found } = await fetchHead(history.remote, remote.url, prefix, path, asked)
      return { ...found, unasked: failed }
    }
    const found = await headWithMissing(history.remote, remote.url, prefix, path)
    const unasked = found.missing === undefined ? "the remote does not answer without a token" : undefined
    return { ...found, hasBranch: false, unasked }
  }
  const { head, hasBranch, missing = [], unasked } = await look()
  if (head.shallow && !highestRelease(head.atHead))
    throw shallowError(fetches || !remote ? unasked : undefined)
  if (missing.length > 0) throw missingTagsError(missing)
  if (unasked !== undefined && source.noTags && head.known.length === 0) throw missingTagsError([])
  return { head, unasked, hasBranch }
}
