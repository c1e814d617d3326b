import type { Directory } from "@dagger.io/dagger"
import { type ContainerShell, gitSays, must, type Shell } from "../git/repository.js"
import { UserError } from "../lib/errors.js"

/** What differs from HEAD, apart from what is ignored: `XY path` each (git-status(1), "Short Format"). */
const status = "git status --porcelain --no-renames --untracked-files=all --ignore-submodules=none"

// HEAD's files as git checks them out with nobody's settings, then what the work tree changes on top. The content of Git LFS
// files is taken from the work tree if it is what HEAD's pointers point to. Submodules the same way.
const contextScript = `
put() (
  cd "$1"
  test "$1" = . || unset GIT_WORK_TREE
  list=$(mktemp -d)
  mkdir -p "$2"
  export GIT_INDEX_FILE="$list/index"
  git read-tree HEAD
  git checkout-index --all --quiet --prefix="$2/"
  git ls-files -z -- ':(attr:filter=lfs)' > "$list/lfs"
  unset GIT_INDEX_FILE
  xargs -0 -r sh -euc 'for file; do
    test -f "$0/$file" && test -f "$file" || continue
    wanted=$(sed -n "s/^oid sha256://p" "$0/$file")
    sum=$(sha256sum < "$file")
    if test "\${sum%% *}" = "$wanted"; then cp -p "$file" "$0/$file"; fi
  done' "$2" < "$list/lfs"
  ${status} -z > "$list/changes"
  if test -s "$list/changes"; then echo changed; fi
  xargs -0 -r sh -euc 'for change; do
    file=\${change#???}
    if test -e "$file/.git"; then continue; fi
    rm -rf "$0/$file"
    if test -e "$file" || test -L "$file"; then mkdir -p "$0/$(dirname "$file")"; cp -pP "$file" "$0/$file"; fi
  done' "$2" < "$list/changes"
  xargs -0 -r sh -euc 'for file; do
    test -f "$0/$file" || continue
    case $(head -c 40 "$0/$file" | tr -d "\\000") in
      "version https://git-lfs.github.com/spec/"*) printf "lfs %s\\n" "$file" ;;
    esac
  done' "$2" < "$list/lfs"
  git ls-files --stage > "$list/entries"
  while read -r mode _ _ file; do
    test "$mode" = 160000 && test -e "$file/.git" || continue
    put "$1/$file" "$2/$file"
  done < "$list/entries"
  rm -r "$list"
)
put . "$2"
chmod -R u=rwX,go=rX "$2"
find "$2" -exec touch -h -d "@$1" {} +
`

/** The files to build, and whether they differ from the commit's. */
export type Context = { files: Directory; changed: boolean }

/**
 * The build context: the commit's files, and in a work tree with changes those too. Whatever else is on a laptop (dependencies,
 * secrets, caches) and how git is set up there stays out, and modes and times depend on the commit alone: the same commit gives
 * the same context everywhere.
 *
 * @param created the commit's date, ISO 8601, which every file gets
 * @param folder the folder of the repository to build in
 * @throws UserError if that folder does not exist, or the content of Git LFS files is missing
 */
export async function buildContext(shell: ContainerShell, created: string, folder: string): Promise<Context> {
  const { changed } = await writeContext(shell.run, created, "/context", folder)
  const files = shell.container.directory("/context")
  if (folder === "" || folder === ".") return { files, changed }
  if (await files.exists(folder)) return { files: files.directory(folder), changed }
  throw new UserError(
    `The repository has no folder "${folder}" to build in.`,
    "",
    "Pass the folder that holds the build: --context",
  )
}

/** Writes the files of {@link buildContext} to a folder that does not exist yet. */
export async function writeContext(
  shell: Shell,
  created: string,
  to: string,
  folder: string,
): Promise<{ changed: boolean }> {
  const seconds = String(Math.floor(Date.parse(created) / 1000))
  const { code, stdout, stderr } = await shell(contextScript, seconds, to)
  if (code !== 0) {
    throw new UserError(
      "The commit's files cannot be read.",
      gitSays(stderr),
      "If the clone is a partial one, fetch what it lacks: git fetch --refetch --no-filter",
    )
  }
  const lines = stdout.split("\n")
  const inside = folder === "" || folder === "." ? "" : `${folder.replace(/^\.\/|\/$/g, "")}/`
  const lfs = lines.flatMap(line => (line.startsWith(`lfs ${inside}`) ? [line.slice(4)] : []))
  if (lfs.length > 0) throw withoutLfs(lfs)
  return { changed: lines.includes("changed") }
}

function withoutLfs(files: string[]): UserError {
  const more = files.length > 5 ? `, and ${files.length - 5} more` : ""
  return new UserError(
    `The content of ${files.length === 1 ? "a Git LFS file" : `${files.length} Git LFS files`} is not in the clone: ${files.slice(0, 5).join(", ")}${more}.`,
    "The image would hold pointers in its place.",
    "Fetch it: git lfs pull   (in CI: install Git LFS before the clone)",
  )
}

/**
 * Refuses a work tree that differs from its commit, since a version names a commit.
 *
 * @throws UserError with the files that differ
 */
export async function refuseDirty(shell: Shell): Promise<void> {
  const out = await must(shell, "The work tree cannot be compared with its commit.", status)
  const changes = out.split("\n").filter(line => line !== "")
  if (changes.length === 0) return
  const more = changes.length > 8 ? `\n… and ${changes.length - 8} more` : ""
  throw new UserError(
    "The work tree has changes that are in no commit; a release is made of a commit.",
    changes.slice(0, 8).join("\n") + more,
    "Commit them (git commit), put them away (git stash -u), or list them in .gitignore",
  )
}
