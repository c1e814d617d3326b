import type { Container, Directory } from "@dagger.io/dagger"
import { UserError } from "./errors.js"
import { must, type Shell } from "./git.js"

const contextScript = `
git ls-files -z --deleted | git update-index -z --remove --stdin
mkdir -p /context
{ git ls-files -z --recurse-submodules; git ls-files -z --others --exclude-standard; } |
  xargs -0 -r sh -c 'tar -cf - -- "$@" | tar -xf - -C /context' sh
chmod -R u=rwX,go=rX /context
find /context -exec touch -h -d "@$1" {} +
`

/**
 * The build context: the files that git tracks, and in a work tree with changes the new ones that it does not ignore. What
 * else lies about on a laptop (dependencies, secrets, caches) stays out, and modes and times depend on the commit alone: the
 * same commit gives the same context everywhere.
 *
 * @param git a container with git in the repository
 * @param created the commit's date, ISO 8601, which every file gets
 * @param folder the folder of the repository to build in
 * @throws UserError where that folder does not exist
 */
export async function buildContext(git: Container, created: string, folder: string): Promise<Directory> {
  const seconds = String(Math.floor(Date.parse(created) / 1000))
  const files = git.withExec(["sh", "-euc", contextScript, "sh", seconds]).directory("/context")
  if (folder === "" || folder === ".") return files
  if (await files.exists(folder)) return files.directory(folder)
  throw new UserError(
    `The repository has no folder "${folder}" to build in.`,
    "",
    "Pass the folder that holds the build: --context",
  )
}

/**
 * Refuses a work tree that differs from its commit, since a version names a commit.
 *
 * @throws UserError with the files that differ
 */
export async function refuseDirty(shell: Shell): Promise<void> {
  const out = await must(shell, "The work tree cannot be compared with its commit.", "git status --porcelain")
  const changes = out.split("\n").filter(line => line !== "")
  if (changes.length === 0) return
  const more = changes.length > 8 ? `\n… and ${changes.length - 8} more` : ""
  throw new UserError(
    "The work tree has changes that are in no commit; a release is made of a commit.",
    changes.slice(0, 8).join("\n") + more,
    "Commit them (git commit), put them away (git stash -u), or list them in .gitignore",
  )
}
