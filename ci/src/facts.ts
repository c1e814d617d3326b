import { UserError } from "./errors.js"
import { gitSays, must, type Shell } from "./git.js"
import { type VersionTag, versionTags } from "./tags.js"

/** What a repository knows of itself. */
export type Facts = {
  /** The commit's full id. */
  head: string
  /** The commit's date, ISO 8601. */
  created: string
  shallow: boolean
  /** The remote's address, empty where there is none. */
  origin: string
  /** Whether the clone was told to leave the remote's tags out (`git clone --no-tags`). */
  noTags: boolean
  known: VersionTag[]
  merged: VersionTag[]
  atHead: VersionTag[]
  ahead: VersionTag[]
  /** Git's words where the remote's tags were to be fetched and could not be. */
  unfetched?: string
}

// With a remote's address it fetches first: the version tags, and where the clone is shallow the rest of its history.
// The remote's tags win: they are what other runs see.
const factsScript = `
git rev-parse --git-dir > /dev/null
if test -n "$2"; then
  refs="+refs/tags/$1v*:refs/tags/$1v*"
  if test "$(git rev-parse --is-shallow-repository)" = true; then
    refs="$refs +refs/heads/*:refs/remotes/ecs-release/* --unshallow"
  fi
  set -f
  timeout 300 git fetch --quiet --no-recurse-submodules --no-write-fetch-head "$2" $refs || echo "unfetched $?"
fi
echo "shallow $(git rev-parse --is-shallow-repository)"
echo "origin $(git config --get remote.origin.url || true)"
echo "noTags $(git config --get remote.origin.tagOpt || true)"
git rev-parse -q --verify 'HEAD^{commit}' > /dev/null || exit 0
git log -1 --no-show-signature --format='head %H%ncreated %cI' HEAD
tags() { git for-each-ref --format='%(refname:strip=2)' "$@"; }
known=$(tags "refs/tags/$1v*")
merged=$(tags --merged=HEAD "refs/tags/$1v*")
echo "$known" | sed 's/^/known /'
echo "$merged" | sed 's/^/merged /'
tags --points-at=HEAD "refs/tags/$1v*" | sed 's/^/atHead /'
test "$known" = "$merged" || tags --contains=HEAD --no-merged=HEAD "refs/tags/$1v*" | sed 's/^/ahead /'
`

/**
 * Asks a repository for HEAD and its version tags.
 *
 * @param prefix what stands before the `v` of a tag
 * @param fetchFrom the address of a remote to fetch its tags, and a shallow clone's missing commits, from first
 * @throws UserError where there is no repository, or no commit in it
 */
export async function readFacts(shell: Shell, prefix: string, fetchFrom = ""): Promise<Facts> {
  const { code, stdout, stderr } = await shell(factsScript, prefix, fetchFrom)
  if (code !== 0) throw noRepository(stderr)
  const values = new Map<string, string[]>()
  for (const line of stdout.split("\n")) {
    const [, key = "", value = ""] = /^(\w+) (.*)$/.exec(line) ?? []
    values.set(key, [...(values.get(key) ?? []), value])
  }
  const one = (key: string) => values.get(key)?.[0] ?? ""
  if (one("head") === "") {
    const remedy = "Make a first commit: git add . && git commit -m 'feat: first version'"
    throw new UserError("The repository has no commits, so there is nothing to give a version.", "", remedy)
  }
  const tags = (key: string) => versionTags(values.get(key) ?? [], prefix)
  return {
    head: one("head"),
    created: one("created"),
    shallow: one("shallow") === "true",
    origin: one("origin"),
    noTags: one("noTags") === "--no-tags",
    known: tags("known"),
    merged: tags("merged"),
    atHead: tags("atHead"),
    ahead: tags("ahead"),
    unfetched: values.has("unfetched") ? gitSays(stderr) || "The remote does not answer." : undefined,
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
git log -z --topo-order --no-show-signature --no-mailmap --no-notes --no-color --encoding=UTF-8 --format='%H%n%P%n%B' "$@"
`

/**
 * Reads the commits since the base, children before their parents. Records end in NUL, which no message can hold, so that
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
