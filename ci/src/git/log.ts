import { must, type Shell } from "./shell.js"

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
