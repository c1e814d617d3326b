import { must, type Shell } from "./shell.js"

/** Commits as git has them, the newest first. */
export type Commits = { sha: string; parents: string[]; message: string }[]

/** Prints the commits since a tag, $1, or all; if $2 is not empty, those that touch it. */
export const logScript = `
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
  return readRecords(await must(shell, "The commits cannot be read.", logScript, base, path))
}

const betweenScript = `
git cat-file -e "$2^{commit}" || exit 3
range=$2
if test -n "$1"; then git merge-base --is-ancestor "$1" "$2" || exit 3; range="$1..$2"; fi
git log -1 --no-show-signature --format=%cI "$2"
if test -n "$3"; then set -- "$range" -- "$3"; else set -- "$range" --; fi
git log -z --no-show-signature --no-mailmap --no-notes --no-color --encoding=UTF-8 --format='%H%n%P%n%B' "$@"
`

/**
 * Reads the commits after one and up to another, and the date of that one.
 *
 * @param since the commit to start after, or "" for the whole history
 * @returns undefined if the repository does not have them, or if the one is not in the other's history
 */
export async function commitsBetween(shell: Shell, since: string, until: string, path: string) {
  const { code, stdout } = await shell(betweenScript, since, until, path)
  if (code !== 0) return undefined
  const end = stdout.indexOf("\n")
  return { date: stdout.slice(0, end), commits: readRecords(stdout.slice(end + 1)) }
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
