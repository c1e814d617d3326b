import { partsOf } from "../lib/list.js"
import { must, type Shell } from "./shell.js"

/** One commit, as `git log` gives it. */
export type Commit = {
  sha: string
  parents: string[]
  message: string
  /** It touches none of the paths that count, so it changes no version; but a revert may name it. */
  elsewhere?: boolean
}

/** Commits as git prints them, newest first. */
export type Commits = Commit[]

/**
 * `log_of PATHS …` runs git log, whatever the user's settings are: only commits that touch one of the comma-separated paths, taken
 * literally, or all if there are none. A merge that brings such commits counts, too. `commits_of PATHS REVISION…` prints all commits of a
 * range as {@link readRecords} reads them, after the ids of those that count if there are paths: a revert can name one that does not.
 */
const log = `
log_of() {
  paths=$1; shift
  if test -z "$paths"; then set -- "$@" --; else
    set -- --show-pulls "$@" --
    set -f; ifs=$IFS; IFS=,
    for path in $paths; do set -- "$@" "$path"; done
    set +f; IFS=$ifs
  fi
  git --literal-pathspecs log --no-show-signature --no-mailmap --no-notes --no-color --encoding=UTF-8 "$@"
}
commits_of() {
  counting=$1; shift
  if test -n "$counting"; then echo counting; log_of "$counting" --format=%H "$@"; printf '\\0'; fi
  log_of "" -z --format='%H%n%P%n%B' "$@"
}
`

/** The paths of a comma-separated setting as `log_of` takes them; "" if it is the whole repository. */
export function pathsOf(setting: string): string {
  const paths = partsOf(setting).map(path => path.replace(/^(\.\/+)+|\/+$/g, ""))
  return paths.some(path => path === "" || path === ".") ? "" : paths.join(",")
}

/** Prints the commits since a tag, $1, or all; if $2 is not empty, those that touch one of its paths. */
export const logScript = `${log}
range=HEAD; test -z "$1" || range="refs/tags/$1..HEAD"
commits_of "$2" "$range"
`

/**
 * Reads the commits since the base, newest first. Records end in NUL, which no message can contain, so that
 * none can fake another; within a record, the message comes last.
 *
 * @param base the tag to start after, or "" for the whole history
 * @param path count only commits that touch one of these paths (comma-separated), or "" for all
 */
export async function readCommits(shell: Shell, base: string, path: string) {
  return readRecords(await must(shell, "The commits cannot be read.", logScript, base, pathsOf(path)))
}

const betweenScript = `${log}
git cat-file -e "$2^{commit}" || exit 3
range=$2
if test -n "$1"; then git merge-base --is-ancestor "$1" "$2" || exit 3; range="$1..$2"; fi
git log -1 --no-show-signature --format=%cI "$2"
commits_of "$3" "$range"
`

/**
 * Reads the commits after one and up to another, and the date of that one.
 *
 * @param since the commit to start after, or "" for the whole history
 * @returns undefined if the repository does not have both, or if the first is not in the second's history
 */
export async function commitsBetween(shell: Shell, since: string, until: string, path: string) {
  const { code, stdout } = await shell(betweenScript, since, until, pathsOf(path))
  if (code !== 0) return undefined
  const end = stdout.indexOf("\n")
  return { date: stdout.slice(0, end), commits: readRecords(stdout.slice(end + 1)) }
}

/** A point in the history, with the commits since the previous points. */
export type Part = { ref: string; date: string; commits: Commits }

// $1 is a path, $2 a ref that everything starts after; each of the other refs gets the commits that no earlier ref has.
const partsScript = `${log}
of=$1; shift
before=; test -z "$1" || before="^$1"; shift
for ref in "$@"; do
  printf 'part %s\\n' "$ref"
  git log -1 --no-show-signature --format=%cI "$ref" --
  printf '\\0'
  commits_of "$of" "$ref" $before
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
  const out = await must(shell, "The commits cannot be read.", partsScript, pathsOf(path), since, ...refs)
  const parts: Part[] = []
  // Every part begins with a line that no record of a commit begins with.
  for (const text of out.split(/(?:^|\0)(?=part \S+\n\S+\n\0)/).filter(it => it !== "")) {
    const [head = "", ...records] = text.split("\0")
    const [, ref = "", date = ""] = /^part (\S+)\n(\S+)\n$/.exec(head) ?? []
    parts.push({ ref, date, commits: readRecords(records.join("\0")) })
  }
  return parts
}

// For each commit: its ID, and the times of the commits that no earlier one has; nothing for a commit that is not there.
const timesScript = `${log}
of=$1; shift
before=
for commit in "$@"; do
  git cat-file -e "$commit^{commit}" 2> /dev/null || continue
  printf 'after %s\\n' "$commit"
  log_of "$of" --format=%ct "$commit" $before
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
  const out = await must(
    shell,
    "The commits cannot be read.",
    timesScript,
    pathsOf(path),
    ...new Set(commits),
  )
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
  let counting: Set<string> | undefined
  const commits: Commits = []
  for (const record of out.split("\0").filter(it => it !== "")) {
    if (record.startsWith("counting\n")) {
      counting = new Set(record.split("\n").slice(1))
      continue
    }
    const [sha = "", parents = ""] = record.split("\n", 2)
    const message = record.slice(sha.length + parents.length + 2)
    const elsewhere = counting !== undefined && !counting.has(sha)
    commits.push({
      sha,
      parents: parents.split(" ").filter(Boolean),
      message,
      ...(elsewhere && { elsewhere }),
    })
  }
  return commits
}
