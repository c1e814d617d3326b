import { UserError } from "./errors.js"
import type { Facts } from "./facts.js"
import type { Shell } from "./git.js"
import { versionOf } from "./tags.js"

const missingScript = `
folder=$(mktemp -d)
timeout 20 git ls-remote --tags "$1" "refs/tags/$2v*" > "$folder/theirs"
git rev-list HEAD > "$folder/ours"
grep -F -f "$folder/ours" "$folder/theirs" || test $? = 1
rm -r "$folder"
`

/**
 * The remote's version tags that stand on a commit of HEAD's history and are missing here.
 *
 * @returns the tags, or undefined where the remote can't be asked without a token
 */
export async function missingTags(shell: Shell, url: string, facts: Facts, prefix: string) {
  const { code, stdout } = await shell(missingScript, url, prefix)
  if (code !== 0) return undefined
  const here = new Set(facts.known.map(({ tag }) => tag))
  const theirs = [...stdout.matchAll(/refs\/tags\/(.+?)(\^\{\})?$/gm)].map(([, tag = ""]) => tag)
  return [...new Set(theirs)].filter(tag => versionOf(tag, prefix) !== undefined && !here.has(tag))
}

/** The error for a clone whose history is cut off. */
export function shallowError(why = ""): UserError {
  return new UserError(
    "The clone is shallow: the commits since the last release may be missing, so its version would be a guess.",
    why,
    "Fetch the rest: git fetch --unshallow --tags   (in CI: a full clone; or pass --git-token, then it is fetched here)",
  )
}

/** The error for a clone that lacks tags of its own history. */
export function missingTagsError(tags: string[]): UserError {
  const named = tags.length === 0 ? "" : `: ${tags.slice(0, 5).join(", ")}${tags.length > 5 ? ", …" : ""}`
  return new UserError(
    `The clone lacks version tags that the remote has${named}.`,
    tags.length === 0 ? "It was made with --no-tags." : "",
    "Fetch them: git fetch --tags   (or pass --git-token, then they are fetched here)",
  )
}
