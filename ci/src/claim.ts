import { UserError } from "./errors.js"
import { gitSays, type Shell } from "./git.js"

/** How a claim ended: the tag stands on our commit, or on another one. */
export type Claim = { won: true; repeated: boolean } | { won: false; holder: string }

const pushScript = `timeout 120 git push --quiet $4 "$1" "$2:refs/tags/$3" 2>&1`

const holderScript = `timeout 60 git ls-remote "$1" "refs/tags/$2" "refs/tags/$2^{}"`

/**
 * Claims a version: pushes a lightweight tag to the remote. The push is the lock: a server creates a ref once, so of two
 * commits that want one number one wins. Whatever the push says, the remote is asked who holds the tag, so that a push whose
 * answer was lost is not taken for a failure. Repeating a claim is safe.
 *
 * @param commit the commit's full id
 * @param tag the tag's name, such as `v1.2.3`
 * @throws UserError where the remote refuses, hangs or is gone, and the tag is not there
 */
export async function claim(shell: Shell, url: string, commit: string, tag: string): Promise<Claim> {
  const before = await holder(shell, url, tag)
  if (before.commit !== undefined) return outcome(before.commit, commit, true)
  for (let tries = 3; ; tries--) {
    const push = await shell(pushScript, url, commit, tag, "")
    const after = await holder(shell, url, tag)
    if (after.commit !== undefined) return outcome(after.commit, commit, push.code !== 0)
    const why = after.failed ?? gitSays(push.stdout)
    // Two pushes at once can both lose the server's lock on the ref: then nobody holds the tag, and it is tried again.
    if (tries === 1 || denied.test(why)) throw cannotClaim(tag, url, why)
    await new Promise(resolve => setTimeout(resolve, 500 + Math.random() * 1500))
  }
}

/**
 * Checks before anything is built that the claim can be pushed, by a push that stops short of changing anything.
 *
 * @throws UserError where it can't, with what to set
 */
export async function refuseWithoutRight(
  shell: Shell,
  url: string,
  commit: string,
  tag: string,
): Promise<void> {
  const { code, stdout } = await shell(pushScript, url, commit, tag, "--dry-run")
  // A tag that is there already is no lack of right: the claim itself finds out whose it is.
  if (code !== 0 && !/already exists|rejected/.test(stdout)) throw cannotClaim(tag, url, gitSays(stdout))
}

/** The error where there is no way to push a claim at all. */
export function noRemote(tag: string, why: string): UserError {
  return new UserError(`${tag} cannot be claimed: the tag has nowhere to be pushed.`, why, setToken)
}

const denied = /could not read Username|Authentication failed|\b40[13]\b|denied|not permitted|protected/i

const setToken =
  "Pass the remote's HTTPS address (--git-remote) and a token that may push tags (--git-token env://GITHUB_TOKEN)."

function outcome(holder: string, commit: string, repeated: boolean): Claim {
  return holder === commit ? { won: true, repeated } : { won: false, holder }
}

async function holder(shell: Shell, url: string, tag: string): Promise<{ commit?: string; failed?: string }> {
  const { code, stdout, stderr } = await shell(holderScript, url, tag)
  if (code !== 0) return { failed: gitSays(stderr) || "The remote does not answer." }
  const refs = new Map(stdout.split("\n").map(line => line.split("\t").reverse() as [string, string]))
  return { commit: refs.get(`refs/tags/${tag}^{}`) ?? refs.get(`refs/tags/${tag}`) }
}

function cannotClaim(tag: string, url: string, why: string): UserError {
  return new UserError(
    `${tag} cannot be claimed at ${url}.`,
    why || "The remote hung up without a word.",
    denied.test(why) ? setToken : "Nothing is lost: run it again once the remote answers.",
  )
}
