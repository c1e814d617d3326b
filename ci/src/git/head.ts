import { UserError } from "../lib/errors.js"
import { type Commits, logScript, pathsOf, readRecords } from "./log.js"
import { gitSays, type Ran, type Shell } from "./shell.js"
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
  /** The paths that count, among those that were given, which HEAD does not have. */
  lacking: string[]
  /** The commits since a tag ("" for all of them), if they were asked for: the tag that is likely the base. */
  since?: { tag: string; commits: Commits }
}

// $2 is not empty if the commits are wanted too: those since the highest vX.Y.Z (in git's sort order) that touch the paths $3.
const headScript = `
shallow=$(git rev-parse --is-shallow-repository)
echo "shallow $shallow"
git log -1 --no-show-signature --format='sha %H%ndate %cI%nseconds %ct' HEAD --
git for-each-ref --format='known %(objectname) %(*objectname) %(refname:strip=2)' "refs/tags/$1v*"
git for-each-ref --format='merged %(refname:strip=2)' --merged=HEAD "refs/tags/$1v*"
git for-each-ref --format='ahead %(refname:strip=2)' --contains=HEAD --no-merged=HEAD "refs/tags/$1v*"
if git rev-parse --quiet --verify refs/ecs-release/branch > /dev/null; then
  if git merge-base --is-ancestor HEAD refs/ecs-release/branch; then echo "branch yes"
  elif test $? = 1; then echo "branch no"
  else exit 1; fi
fi
test -n "$2" || exit 0
set -f; ifs=$IFS; IFS=,
for path in $3; do
  test -n "$(git --literal-pathspecs ls-tree HEAD -- "$path")" || printf 'lacking %s\\n' "$path"
done
set +f; IFS=$ifs
tags=$(git for-each-ref --sort=-v:refname --format='%(refname:strip=2)' --merged=HEAD "refs/tags/$1v[0-9]*")
base=
while read -r tag; do
  case \${tag#"$1"} in
    *[!v0-9.]*|*.*.*.*) ;;
    v*.*.*) base=$tag; break ;;
  esac
done <<END
$tags
END
printf 'since %s\\n\\0' "$base"
set -- "$base" "$3"
${logScript}
`

/** A script to run before HEAD is read, in the same container run. */
export type First = { script: string; args: string[] }

// It may fail, and the token that it was given for the remote is gone afterwards.
const before = (script: string) => `
set +e
( set -e
shift 3
${script}
)
printf '\\0%s\\0' "$?"
set -e
for name in $(env | sed -n 's/^\\(GIT_TOKEN[A-Z0-9_]*\\)=.*/\\1/p'); do unset "$name"; done
`

/**
 * Asks a repository for HEAD and its version tags.
 *
 * @param prefix what comes before the `v` of a tag
 * @param path also read the commits since the last release that touch this path, "" for all; none if left out
 * @throws UserError if they cannot be read
 */
export async function readHead(shell: Shell, prefix: string, path?: string): Promise<Head> {
  const { code, stdout, stderr } = await shell(headScript, ...headArgs(prefix, path))
  if (code !== 0) throw unreadableHistory(stderr)
  return parse(stdout, prefix)
}

/** The same, after another script, such as one that fetches; with that script's result. */
export async function readHeadAfter(
  first: First,
  shell: Shell,
  prefix: string,
  path?: string,
): Promise<{ head: Head; first: Ran }> {
  const script = before(first.script) + headScript
  const { code, stdout, stderr } = await shell(script, ...headArgs(prefix, path), ...first.args)
  if (code !== 0) throw unreadableHistory(stderr)
  const [said = "", ended, ...rest] = stdout.split("\0")
  const head = parse(rest.join("\0"), prefix)
  return { head, first: { code: Number(ended), stdout: said, stderr } }
}

const headArgs = (prefix: string, path?: string) => [
  prefix,
  path === undefined ? "" : "commits",
  pathsOf(path ?? ""),
]

function parse(stdout: string, prefix: string): Head {
  const end = stdout.indexOf("\0")
  const values = new Map<string, string[]>()
  for (const line of (end < 0 ? stdout : stdout.slice(0, end)).split("\n")) {
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
    lacking: values.get("lacking") ?? [],
    since: end < 0 ? undefined : { tag: one("since"), commits: readRecords(stdout.slice(end + 1)) },
  }
}

/** The error for a history that git cannot read. */
export function unreadableHistory(stderr: string): UserError {
  return new UserError(
    "The repository's history cannot be read.",
    gitSays(stderr),
    "Clone the repository whole (without --shared, --reference or --filter), and try `git fsck`.",
  )
}
