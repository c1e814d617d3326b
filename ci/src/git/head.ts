import { UserError } from "../lib/errors.js"
import { gitSays, type Shell } from "./shell.js"
import { type VersionTag, versionTags } from "./tags.js"

/** The commit that is checked out, and the version tags around it. */
export type Head = {
  /** The commit's full id. */
  sha: string
  /** The commit's date, ISO 8601. */
  date: string
  /** The same in seconds since 1970. */
  seconds: number
  shallow: boolean
  /** All version tags, highest first. */
  known: VersionTag[]
  /** Those in HEAD's history. */
  merged: VersionTag[]
  /** Those on HEAD itself. */
  atHead: VersionTag[]
  /** Those on commits that come after HEAD. */
  ahead: VersionTag[]
  /** Whether the release branch, as it was fetched, contains HEAD; undefined if it was not fetched. */
  onBranch?: boolean
}

const headScript = `
shallow=$(git rev-parse --is-shallow-repository)
echo "shallow $shallow"
git log -1 --no-show-signature --format='sha %H%ndate %cI%nseconds %ct' HEAD --
git for-each-ref --format='known %(objectname) %(*objectname) %(refname:strip=2)' "refs/tags/$1v*"
git for-each-ref --format='merged %(refname:strip=2)' --merged=HEAD "refs/tags/$1v*"
git for-each-ref --format='ahead %(refname:strip=2)' --contains=HEAD --no-merged=HEAD "refs/tags/$1v*"
git rev-parse --quiet --verify refs/ecs-release/branch > /dev/null || exit 0
if git merge-base --is-ancestor HEAD refs/ecs-release/branch; then echo "branch yes"
elif test $? = 1; then echo "branch no"
else exit 1; fi
`

/**
 * Asks a repository for HEAD and its version tags.
 *
 * @param prefix what comes before the `v` of a tag
 * @throws UserError if they cannot be read
 */
export async function readHead(shell: Shell, prefix: string): Promise<Head> {
  const { code, stdout, stderr } = await shell(headScript, prefix)
  if (code !== 0) throw unreadable(stderr)
  const values = new Map<string, string[]>()
  for (const line of stdout.split("\n")) {
    const [, key = "", value = ""] = /^(\S+) (.*)$/.exec(line) ?? []
    values.set(key, [...(values.get(key) ?? []), value])
  }
  const one = (key: string) => values.get(key)?.[0] ?? ""
  const sha = one("sha")
  const known = (values.get("known") ?? []).map(line => {
    const [object = "", peeled = "", tag = ""] = line.split(" ")
    return { tag, commit: peeled || object }
  })
  const commits = new Map(known.map(({ tag, commit }) => [tag, commit]))
  const among = (tags: string[]) => versionTags(tags, prefix, commits)
  return {
    sha,
    date: one("date"),
    seconds: Number(one("seconds")),
    shallow: one("shallow") === "true",
    known: among(known.map(({ tag }) => tag)),
    merged: among(values.get("merged") ?? []),
    atHead: among(known.filter(({ commit }) => commit === sha).map(({ tag }) => tag)),
    ahead: among(values.get("ahead") ?? []),
    onBranch: values.has("branch") ? one("branch") === "yes" : undefined,
  }
}

/** The error for a history that git cannot read. */
export function unreadable(stderr: string): UserError {
  return new UserError(
    "The repository's history cannot be read.",
    gitSays(stderr),
    "Clone the repository whole (without --shared, --reference or --filter), and try `git fsck`.",
  )
}
