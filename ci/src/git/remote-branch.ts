import { UserError } from "../lib/errors.js"
import type { Settings } from "../settings.js"
import { type Remote, remoteUrl } from "./remote.js"
import type { Repository } from "./repository.js"
import { asking } from "./shell.js"

const headScript = `${asking}
ask timeout 60 git ls-remote --symref "$1" HEAD
printf '%s\\n' "$said" | sed -n 's/^ref: \\(refs\\/heads\\/[^[:space:]]*\\)[[:space:]]*HEAD$/\\1/p' | head -n 1
`

/**
 * The repository's address, as others know it, and the branch that it is released from, as a ref.
 *
 * @throws UserError if there is no remote, or if it does not say which branch its default one is
 */
export async function remoteAndBranch(
  { history, source }: Repository,
  { gitRemote, branch }: Settings,
  remote: Remote | undefined,
): Promise<{ repository: string; ref: string }> {
  const repository = (remoteUrl(gitRemote || source.origin) ?? remote?.url ?? "").replace(/\.git$/, "")
  if (branch !== "") return { repository, ref: `refs/heads/${branch}` }
  const { code, stdout } = remote ? await history.remote(headScript, remote.url) : { code: 1, stdout: "" }
  const ref = stdout.trim()
  if (code === 0 && ref !== "") return { repository, ref }
  throw new UserError(
    "The remote does not say which branch is its default one.",
    remote ? "" : "There is no remote that a container can reach.",
    "Name the branch that releases are made from: --branch main",
  )
}
