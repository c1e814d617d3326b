import { UserError } from "../lib/errors.js"
import { asking, gitSays, type Shell } from "./shell.js"

/** How a claim ended: the tag is on this commit, or on another one. */
export type Claim = { won: true; repeated: boolean } | { won: false; holder: string }

const claimScript = `${asking}
holder() { ask timeout 60 git ls-remote "$1" "refs/tags/$3" "refs/tags/$3^{}" || exit 4; }
holder "$@"
before=$(refs)
if test -n "$before"; then echo "held"; echo "$before"; exit 0; fi
if ask timeout 120 git push --quiet "$1" "$2:refs/tags/$3"; then echo "pushed"; else echo "failed"; fi
holder "$@"
refs
`

const dryRunScript = `${asking}
ask timeout 120 git push --quiet --dry-run "$1" "$2:refs/tags/$3"
`

/**
 * Claims a version by pushing a lightweight tag to the remote. The push is the lock: a server creates a ref only once, so if two
 * commits want the same number, one wins. Whatever the push says, this asks the remote who holds the tag, so that a push whose
 * answer was lost does not count as a failure. Repeating a claim is safe.
 *
 * @param commit the commit's full id
 * @param tag the tag's name, such as `v1.2.3`
 * @throws UserError if the remote refuses, hangs or is gone, and the tag is not there
 */
export async function claim(shell: Shell, url: string, commit: string, tag: string): Promise<Claim> {
  for (let tries = 3; ; tries--) {
    const { code, stdout, stderr } = await shell(claimScript, url, commit, tag)
    const [push, ...refs] = stdout.trim().split("\n")
    const holder = code === 0 ? holderAmong(refs, tag) : undefined
    if (holder !== undefined && holder !== commit) return { won: false, holder }
    if (holder !== undefined) return { won: true, repeated: push !== "pushed" }
    const why = gitSays(stderr)
    // Two pushes at once can both fail to get the server's lock on the ref: then nobody holds the tag, so try again.
    if (tries === 1 || denied.test(why)) throw cannotClaim(tag, url, why)
    await new Promise(resolve => setTimeout(resolve, 500 + Math.random() * 1500))
  }
}

/** The commit that a tag is on, according to `git ls-remote`: a lightweight tag's own, or the one that an annotated tag points to. */
function holderAmong(lines: string[], tag: string): string | undefined {
  const refs = new Map(lines.map(line => line.split("\t").reverse() as [string, string]))
  return refs.get(`refs/tags/${tag}^{}`) ?? refs.get(`refs/tags/${tag}`)
}

/**
 * Checks, before anything is built, that the claim can be pushed, with a push that changes nothing.
 *
 * @throws UserError if it can't, with what to set
 */
export async function refuseWithoutRight(
  shell: Shell,
  url: string,
  commit: string,
  tag: string,
): Promise<void> {
  const { code, stderr } = await shell(dryRunScript, url, commit, tag)
  // If the tag already exists, that does not mean that the token lacks permission: the claim itself finds out whose tag it is.
  if (code !== 0 && !/already exists|rejected/.test(stderr)) throw cannotClaim(tag, url, gitSays(stderr))
}

/** The error if there is no way to push a claim at all. */
export function noRemote(tag: string, why: string): UserError {
  return new UserError(`${tag} cannot be claimed: there is nowhere to push the tag.`, why, setToken)
}

const denied =
  /could not read Username|Authentication failed|\b40[13]\b|denied|not permitted|protected|rule violations|declined/i

const setToken =
  "Pass the remote's HTTPS address (--git-remote) and a token that may push tags (--git-token env://GITHUB_TOKEN): if a repository rule protects them, its account has to be on the rule's bypass list."

function cannotClaim(tag: string, url: string, why: string): UserError {
  return new UserError(
    `${tag} cannot be claimed at ${url}.`,
    why || "The remote closed the connection without giving a reason.",
    remedyFor(why),
  )
}

function remedyFor(why: string): string {
  if (denied.test(why)) return setToken
  if (/returned error: 30\d/.test(why)) {
    return "The address redirects to another one, where the token is not sent: pass the new address with --git-remote."
  }
  return "Nothing is lost: run it again once the remote answers."
}
