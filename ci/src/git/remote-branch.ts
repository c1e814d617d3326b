import { UserError } from "../lib/errors.js"
import type { Settings } from "../settings.js"
import { openCheckout, openRemote, remoteAddress } from "./checkout.js"
import { type Remote, remoteUrl } from "./remote.js"
import type { Repository } from "./repository.js"
import { asking, gitSays } from "./shell.js"

const headScript = `${asking}
ask timeout 60 git ls-remote --symref "$1" HEAD
printf '%s\\n' "$said" | sed -n 's/^ref: \\(refs\\/heads\\/[^[:space:]]*\\)[[:space:]]*HEAD$/\\1/p' | head -n 1
`

/**
 * The repository's public address, and the branch that it is released from, as a ref: `HEAD` if the remote does not say what
 * its default branch is called.
 *
 * @throws UserError if there is no remote, or if it does not answer
 */
export async function remoteAndBranch(
  from: Repository,
  settings: Settings,
  remote: Remote | undefined,
): Promise<{ repository: string; ref: string }> {
  const { branch } = settings
  const repository = (remoteUrl(remoteAddress(from, settings)) ?? remote?.url ?? "").replace(/\.git$/, "")
  if (branch !== "") return { repository, ref: `refs/heads/${branch}` }
  const { code, stdout, stderr } = remote
    ? await from.history.remote(headScript, remote.url)
    : { code: 1, stdout: "", stderr: "There is no remote that a container can reach." }
  if (code === 0) return { repository, ref: stdout.trim() || "HEAD" }
  throw new UserError(
    "The remote could not be asked for its default branch.",
    gitSays(stderr),
    "Run the same command again, or name the branch that releases are made from: --branch main",
  )
}

/**
 * The remote's default branch.
 *
 * @throws UserError if there is no remote, or it does not name one
 */
export async function defaultBranch(settings: Settings): Promise<string> {
  const { repository } = await openCheckout(settings)
  const remote = await openRemote(repository, settings)
  const { ref } = await remoteAndBranch(repository, settings, remote)
  if (ref.startsWith("refs/heads/")) return ref.slice("refs/heads/".length)
  throw new UserError("The remote does not name its default branch.")
}
