import { must, type Shell } from "./shell.js"

/** Commits as git prints them, newest first. */
export type Commits = { sha: string; parents: string[]; message: string }[]

/** Prints commits as {@link readRecords} reads them, whatever the user's settings are. */
const log =
  "git log -z --no-show-signature --no-mailmap --no-notes --no-color --encoding=UTF-8 --format='%H%n%P%n%B'"

/** Prints the commits since a tag, $1, or all; if $2 is not empty, those that touch it. */
export const logScript = `
range=HEAD; test -z "$1" || range="refs/tags/$1..HEAD"
if test -n "$2"; then set -- "$range" -- "$2"; else set -- "$range" --; fi
${log} "$@"
`

/**
 * Reads the commits since the base, newest first. Records end in NUL, which no message can contain, so that
 * none can fake another; within a record, the message comes last.
 *
 * @param base the tag to start after, or "" for the whole history
 * @param path count only commits that touch it, or "" for all
 */
export async function readCommits(shell: Shell, base: string, path: string) {
  return readRecords(await must(shell, "The commits cannot be read.", logScript, base, path))
}

const betweenScript = `
git cat-file -e "$2^{commit}" || exit 3
range=$2
if test -n "$1"; then git merge-base --is-ancestor "$1" "$2" || exit 3; range="$1..$2"; fi
git log -1 --no-show-signature --format=%cI "$2"
if test -n "$3"; then set -- "$range" -- "$3"; else set -- "$range" --; fi
${log} "$@"
`

/**
 * Reads the commits after one and up to another, and the date of that one.
 *
 * @param since the commit to start after, or "" for the whole history
 * @returns undefined if the repository does not have both, or if the first is not in the second's history
 */
export async function commitsBetween(shell: Shell, since: string, until: string, path: string) {
  const { code, stdout } = await shell(betweenScript, since, until, path)
  if (code !== 0) return undefined
  const end = stdout.indexOf("\n")
  return { date: stdout.slice(0, end), commits: readRecords(stdout.slice(end + 1)) }
}

/** A point in the history, with the commits since the previous points. */
export type Part = { ref: string; date: string; commits: Commits }

// $1 is a path, $2 a ref that everything starts after; each of the other refs gets the commits that no earlier ref has.
const partsScript = `
path=$1; shift
before=; test -z "$1" || before="^$1"; shift
for ref in "$@"; do
  printf 'part %s\\n' "$ref"
  git log -1 --no-show-signature --format=%cI "$ref" --
  printf '\\0'
  if test -n "$path"; then set -- "$ref" $before -- "$path"; else set -- "$ref" $before --; fi
  ${log} "$@"
  before="$before ^$ref"
done
`

/**
 * Reads the history in parts, one for each ref: the commits that none of the refs before it has, the newest first.
 *
 * @param refs `HEAD`, commits and full names of tags, each after those in its history
 * @param since the ref that everything starts after, or "" for the whole history
 */
export async function readParts(shell: Shell, refs: string[], since: string, path: string): Promise<Part[]> {
  const out = await must(shell, "The commits cannot be read.", partsScript, path, since, ...refs)
  const parts: Part[] = []
  for (const record of out.split("\0").filter(it => it !== "")) {
    const [, ref, date] = /^part (\S+)\n(\S+)\n$/.exec(record) ?? []
    if (ref !== undefined && date !== undefined) parts.push({ ref, date, commits: [] })
    else parts.at(-1)?.commits.push(...readRecords(record))
  }
  return parts
}

// For each commit: its ID, and the times of the commits that no earlier one has; nothing for a commit that is not there.
const timesScript = `
path=$1; shift
before=
for commit in "$@"; do
  git cat-file -e "$commit^{commit}" 2> /dev/null || continue
  printf 'after %s\\n' "$commit"
  if test -n "$path"; then set -- "$commit" $before -- "$path"; else set -- "$commit" $before --; fi
  git log --no-show-signature --no-color --format=%ct "$@"
  before="$before ^$commit"
done
`

/**
 * For each commit, when those commits were made that it contains and the previous ones do not.
 *
 * @param commits full ids, in the order in which they were deployed
 * @returns times by commit; a commit that the repository does not have is left out
 */
export async function readTimes(shell: Shell, commits: string[], path: string): Promise<Map<string, Date[]>> {
  const out = await must(shell, "The commits cannot be read.", timesScript, path, ...new Set(commits))
  const times = new Map<string, Date[]>()
  let last: Date[] = []
  for (const line of out.split("\n").filter(Boolean)) {
    const [, commit] = /^after (\S+)$/.exec(line) ?? []
    if (commit === undefined) last.push(new Date(Number(line) * 1000))
    else {
      last = []
      times.set(commit, last)
    }
  }
  return times
}

/** What {@link logScript} prints. */
export function readRecords(out: string): Commits {
  return out
    .split("\0")
    .filter(record => record !== "")
    .map(record => {
      const [sha = "", parents = ""] = record.split("\n", 2)
      const message = record.slice(sha.length + parents.length + 2)
      return { sha, parents: parents.split(" ").filter(Boolean), message }
    })
}
