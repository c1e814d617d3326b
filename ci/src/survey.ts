import type { Directory, Secret, Service } from "@dagger.io/dagger"
import { type Facts, readCommits, readFacts } from "./facts.js"
import { fetchTags, missingTags, missingTagsError, shallowError } from "./fetch.js"
import { ContainerShell, gitContainer } from "./git.js"
import { findRemote, type Remote, withRemote } from "./remote.js"
import { chooseBase, type Decision, decide } from "./version.js"

/** Where the history comes from and which part of it counts. */
export type Repository = {
  source: Directory
  /** The git directory, where the source's `.git` is a file that points to it. */
  gitDir?: Directory
  /** Count only commits that touch this path; "" for all. */
  path: string
  /** What stands before the `v` of a version tag. */
  tagPrefix: string
  /** The remote's address; "" for the source's own `origin`. */
  remote: string
  username: string
  token?: Secret
  /** A service that stands for the remote's host. */
  endpoint?: Service
  /** The image that git runs in. */
  image: string
}

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
export async function survey(repository: Repository): Promise<Survey> {
  const shell = new ContainerShell(await gitContainer(repository.image, repository.source, repository.gitDir))
  const local = await readFacts(shell.run, repository.tagPrefix)
  const remote = await findRemote({ ...repository, address: repository.remote || local.origin })
  if (remote) shell.container = withRemote(shell.container, remote)
  const { facts, unasked } = await whole(shell, local, repository.tagPrefix, remote)
  const base = chooseBase(facts)
  const released = chooseBase({ atHead: facts.atHead, merged: [] })
  const commits = released ? [] : await readCommits(shell.run, base?.tag ?? "", repository.path)
  const decision = decide({ ...facts, commits })
  return { facts, decision, version: decision.next ?? decision.current ?? "", shell, remote, unasked }
}

/** The facts of a whole history: mended from the remote where there is a token, else refused if parts are missing. */
async function whole(shell: ContainerShell, local: Facts, prefix: string, remote?: Remote) {
  let facts = local
  let unasked = remote ? undefined : "no remote that a container can reach"
  if (remote?.token) {
    unasked = await fetchTags(shell.run, remote.url, prefix)
    if (unasked === undefined) facts = await readFacts(shell.run, prefix)
  }
  if (facts.shallow && !chooseBase({ atHead: facts.atHead, merged: [] })) throw shallowError(unasked)
  if (remote && !remote.token) {
    const missing = await missingTags(shell.run, remote.url, facts, prefix)
    if (missing === undefined) unasked = "the remote does not answer without a token"
    else if (missing.length > 0) throw missingTagsError(missing)
  }
  if (unasked !== undefined && facts.noTags && facts.known.length === 0) throw missingTagsError([])
  return { facts, unasked }
}
