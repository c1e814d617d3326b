import { UserError } from "../lib/errors.js"
import { gitSays, must, type Shell } from "./repository.js"
import { type VersionTag, versionTags } from "./tags.js"

/** What a repository knows of itself. */
export type Head = {
  /** The commit's full id. */
  sha: string
  /** The commit's date, ISO 8601. */
  date: string
  shallow: boolean
  /** The remote's address without a name and password, empty if there is none. */
  origin: string
  /** Whether the clone was told to leave the remote's tags out (`git clone --no-tags`). */
  noTags: boolean
  known: VersionTag[]
  merged: VersionTag[]
  atHead: VersionTag[]
  ahead: VersionTag[]
  /** Whether the release branch, as it was fetched, holds HEAD; undefined if it was not fetched. */
  onBranch?: boolean
}

const headScript = `
shallow=$(git rev-parse --is-shallow-repository)
echo "shallow $shallow"
git config --get-regexp '^remote\\.origin\\.(url|tagopt)$' || test $? = 1
git log -1 --no-show-signature --format='head %H%ncreated %cI' HEAD -- 2> /dev/null || exit 0
git for-each-ref --format='known %(objectname) %(*objectname) %(refname:strip=2)' "refs/tags/$1v*"
git for-each-ref --format='merged %(refname:strip=2)' --merged=HEAD "refs/tags/$1v*"
git rev-parse --quiet --verify refs/ecs-release/branch > /dev/null || exit 0
if git merge-base --is-ancestor HEAD refs/ecs-release/branch; then echo "branch yes"
elif test $? = 1; then echo "branch no"
else exit 1; fi
`

const aheadScript = `
git for-each-ref --format='%(refname:strip=2)' --contains=HEAD --no-merged=HEAD "refs/tags/$1v*"
`

/**
 * Asks a repository for HEAD and its version tags.
 *
 * @param prefix what stands before the `v` of a tag
 * @throws UserError if there is no repository, or no commit in it
 */
export async function readHead(shell: Shell, prefix: string): Promise<Head> {
  const { code, stdout, stderr } = await shell(headScript, prefix)
  if (code !== 0) throw noRepository(stderr)
  const values = new Map<string, string[]>()
  for (const line of stdout.split("\n")) {
    const [, key = "", value = ""] = /^(\S+) (.*)$/.exec(line) ?? []
    values.set(key, [...(values.get(key) ?? []), value])
  }
  const one = (key: string) => values.get(key)?.[0] ?? ""
  const sha = one("head")
  if (sha === "") {
    const remedy = "Make a first commit: git add . && git commit -m 'feat: first version'"
    throw new UserError("The repository has no commits, so there is nothing to give a version.", "", remedy)
  }
  const refs = (values.get("known") ?? []).map(line => line.split(" ") as [string, string, string])
  const atHead = refs.filter(([object, peeled]) => (peeled || object) === sha)
  const known = versionTags(
    refs.map(([, , tag]) => tag),
    prefix,
  )
  const merged = versionTags(values.get("merged") ?? [], prefix)
  const ahead =
    known.length === merged.length
      ? ""
      : await must(shell, "The version tags after HEAD cannot be read.", aheadScript, prefix)
  return {
    sha,
    date: one("created"),
    shallow: one("shallow") === "true",
    origin: one("remote.origin.url"),
    noTags: one("remote.origin.tagopt") === "--no-tags",
    known,
    merged,
    atHead: versionTags(
      atHead.map(([, , tag]) => tag),
      prefix,
    ),
    ahead: versionTags(ahead.split("\n"), prefix),
    onBranch: values.has("branch") ? one("branch") === "yes" : undefined,
  }
}

function noRepository(stderr: string): UserError {
  if (/not a git repository: .*(worktrees|modules)/.test(stderr)) {
    return new UserError(
      "The source is a linked work tree or a submodule: its .git is a file that points outside the source.",
      gitSays(stderr),
      'Pass it too: --git-dir "$(git rev-parse --path-format=absolute --git-common-dir)"',
    )
  }
  const remedy = "Run inside a git clone, or pass one: --source <folder that holds .git>"
  return new UserError("The source is not a git repository.", gitSays(stderr), remedy)
}

const logScript = `
range=HEAD; test -z "$1" || range="refs/tags/$1..HEAD"
if test -n "$2"; then set -- "$range" -- "$2"; else set -- "$range" --; fi
git log -z --no-show-signature --no-mailmap --no-notes --no-color --encoding=UTF-8 --format='%H%n%P%n%B' "$@"
`

/**
 * Reads the commits since the base, the newest first. Records end in NUL, which no message can hold, so that
 * none can forge another; within a record the message comes last.
 *
 * @param base the tag to start after, or "" for the whole history
 * @param path count only commits that touch it, or "" for all
 */
export async function readCommits(shell: Shell, base: string, path: string) {
  const out = await must(shell, "The commits cannot be read.", logScript, base, path)
  return out
    .split("\0")
    .filter(record => record !== "")
    .map(record => {
      const [sha = "", parents = ""] = record.split("\n", 2)
      const message = record.slice(sha.length + parents.length + 2)
      return { sha, parents: parents.split(" ").filter(Boolean), message }
    })
}
