import { type Settings, sourceOf } from "../settings.js"
import { type Head, readHead } from "./head.js"
import { findRemote, type Remote } from "./remote.js"
import { openRepository, type Repository } from "./repository.js"

/** A commit that is checked out. */
export type Checkout = { head: Head; repository: Repository }

/**
 * Opens the repository at the checked-out commit. It does not contact the remote or decide a version.
 *
 * @throws UserError if the source is not a repository, or has no commits
 */
export async function openCheckout(settings: Settings): Promise<Checkout> {
  const { gitImage, gitDir, tagPrefix } = settings
  const repository = await openRepository(gitImage, sourceOf(settings), gitDir, tagPrefix)
  return { repository, head: await readHead(repository.history.run, tagPrefix) }
}

/** Where the remote is: what the settings say, else the clone's origin; "" if there is neither. */
export function remoteAddress({ source }: Pick<Repository, "source">, { gitRemote }: Settings): string {
  return gitRemote || source.origin
}

/** Opens the connection from a repository's history to its remote; undefined if there is none that a container can reach. */
export async function openRemote(repository: Repository, settings: Settings): Promise<Remote | undefined> {
  const { gitUsername: username, gitToken: token, gitEndpoint: endpoint } = settings
  const address = remoteAddress(repository, settings)
  const remote = await findRemote({ address, username, token, endpoint })
  if (remote) repository.history.open(remote.way)
  return remote
}
