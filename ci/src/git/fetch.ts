import { UserError } from "../lib/errors.js"
import { type First, type Head, readHeadAfter } from "./head.js"
import { asking, gitSays, type Shell } from "./shell.js"
import { versionOf } from "./tags.js"

// The remote's version tags, and no others: these are the tags that other runs see.
const fetchScript = `${asking}
tags="+refs/tags/$2v*:refs/tags/$2v*"
branch=
test -z "$3" || branch="+$3:refs/ecs-release/branch"
more=
if test "$(git rev-parse --is-shallow-repository)" = true; then
  more="+refs/heads/*:refs/remotes/ecs-release/* --unshallow"
fi
set -f
fetch() { ask timeout 300 git fetch --quiet --prune --no-tags --no-recurse-submodules --no-write-fetch-head "$@"; }
if fetch "$1" "$tags" $branch $more; then exit 0; fi
case $said in *"find remote ref"*) ;; *) exit 1 ;; esac
git update-ref -d refs/ecs-release/branch
if fetch "$1" "$tags" $more; then exit 2; else exit 1; fi
`

/** The result of a fetch: why it failed, whether the remote has the release branch, and what HEAD looks like afterwards. */
export type Fetched = { failed?: string; hasBranch: boolean; head: Head }

/**
 * Fetches from the remote into the private copy what a version depends on (the remote's version tags, a shallow clone's missing
 * commits, and for a release its branch), and reads HEAD.
 *
 * @param shell one that reaches the remote
 * @param prefix what comes before the `v` of a tag
 * @param path which commits to read (readHead)
 * @param release the release branch to fetch, "" for the remote's default branch; none if left out
 */
export async function fetchHead(
  shell: Shell,
  url: string,
  prefix: string,
  path?: string,
  release?: { branch: string },
): Promise<Fetched> {
  const ref = release?.branch === "" ? "HEAD" : `refs/heads/${release?.branch}`
  const fetch: First = { script: fetchScript, args: [url, prefix, release ? ref : ""] }
  const { head, first } = await readHeadAfter(fetch, shell, prefix, path)
  if (first.code === 0 || first.code === 2) return { head, hasBranch: first.code === 0 }
  return { head, failed: gitSays(first.stderr) || "The remote does not answer.", hasBranch: false }
}

const missingScript = `${asking}
ask timeout 20 git ls-remote --tags "$1" "refs/tags/$2v*"
folder=$(mktemp -d)
refs > "$folder/theirs"
git rev-list HEAD > "$folder/ours"
grep -F -f "$folder/ours" "$folder/theirs" || test $? = 1
rm -r "$folder"
`

/**
 * Reads HEAD and, without a token, finds the remote's version tags on HEAD's history that are missing here.
 *
 * @returns with HEAD the tags, or undefined if the remote can't be asked without a token
 */
export async function headWithMissing(shell: Shell, url: string, prefix: string, path?: string) {
  const list: First = { script: missingScript, args: [url, prefix] }
  const { head, first } = await readHeadAfter(list, shell, prefix, path)
  if (first.code !== 0) return { head, missing: undefined }
  const here = new Set(head.known.map(({ tag }) => tag))
  const theirs = [...first.stdout.matchAll(/refs\/tags\/(.+?)(\^\{\})?$/gm)].map(([, tag = ""]) => tag)
  const missing = [...new Set(theirs)].filter(tag => versionOf(tag, prefix) !== undefined && !here.has(tag))
  return { head, missing }
}

/** The error for a clone whose history is cut off. */
export function shallowError(why = ""): UserError {
  return new UserError(
    "The clone is shallow: the commits since the last release may be missing, so its version would be a guess.",
    why,
    "Fetch the rest: git fetch --unshallow --tags   (in CI: a full clone; or pass --git-token, then it is fetched here)",
  )
}

/** The error for a clone that is missing tags of its own history. */
export function missingTagsError(tags: string[]): UserError {
  const named = tags.length === 0 ? "" : `: ${tags.slice(0, 5).join(", ")}${tags.length > 5 ? ", …" : ""}`
  return new UserError(
    `The clone is missing version tags that the remote has${named}.`,
    tags.length === 0 ? "It was made with --no-tags." : "",
    "Fetch them: git fetch --tags   (or pass --git-token, then they are fetched here)",
  )
}
