import type { Directory } from "@dagger.io/dagger"
import { type ContainerShell, gitSays, type Shell, workFolder } from "../git/shell.js"
import { UserError } from "../lib/errors.js"

// Each work tree (the repository's and those of its submodules) gets a git directory made by the module: with its HEAD, its
// index and its objects, and none of its configuration. Nothing before that point runs anything that a configuration names.
//
//   own FROM TO      makes it in TO/.git for the work tree FROM
//   put FROM TO AT   writes the files of the work tree FROM to the folder TO; AT is its path in the repository
//
// The files are HEAD's, as git checks them out without anybody's settings into an empty folder, plus the work tree's changes.
// The content of Git LFS files is taken from the work tree if it matches HEAD's pointers.
const contextScript = `
own() {
  mkdir -p "$2"
  ( cd "$1"
    git rev-parse --git-dir > "$2/dir"
    git rev-parse --show-object-format > "$2/format"
    git rev-parse --verify HEAD > "$2/head"
    git rev-parse --is-bare-repository > "$2/bare"
    objects=$(git rev-parse --git-path objects)
    (cd "$objects" && pwd -P) > "$2/objects"
    for name in index shallow info/exclude; do
      file=$(git rev-parse --git-path "$name")
      test ! -f "$file" || cp "$file" "$2/\${name#info/}"
    done
    dir=$(cat "$2/dir")
    for file in "$dir"/sharedindex.*; do test ! -f "$file" || cp "$file" "$2/"; done
    git config --get core.filemode > "$2/filemode" || test $? = 1
    git config --get core.symlinks > "$2/symlinks" || test $? = 1 )
  format=$(cat "$2/format")
  (unset GIT_WORK_TREE; git init --quiet --template= --object-format="$format" "$2")
  mkdir -p "$2/.git/info"
  mv "$2/head" "$2/.git/HEAD"
  mv "$2/objects" "$2/.git/objects/info/alternates"
  for file in "$2"/index "$2"/shallow "$2"/sharedindex.*; do test ! -f "$file" || mv "$file" "$2/.git/"; done
  test ! -f "$2/exclude" || mv "$2/exclude" "$2/.git/info/"
  if grep -q false "$2/filemode"; then git config --file "$2/.git/config" core.filemode false; fi
}

put() (
  list=$(mktemp -d)
  ( test "$3" = "" || unset GIT_WORK_TREE; unset GIT_DIR; own "$1" "$list" )
  mkdir -p "$2"
  export GIT_DIR="$list/.git" GIT_WORK_TREE="$2"
  cd "$2"
  GIT_INDEX_FILE=$list/head.index git read-tree HEAD
  GIT_INDEX_FILE=$list/head.index git checkout-index --all --quiet
  GIT_INDEX_FILE=$list/head.index git ls-files -z -- ':(attr:filter=lfs)' > "$list/lfs"
  git ls-tree -r -z HEAD > "$list/tree"
  xargs -0 -r sh -euc 'for entry; do
    case $entry in "160000 "*) printf "%s\\n" "\${entry#*	}" ;; esac
  done' sh < "$list/tree" > "$list/submodules"
  if grep -q true "$list/bare"; then : > "$list/names"; else
    cd "$1"
    GIT_WORK_TREE=$PWD
    xargs -0 -r sh -euc 'for file; do
      test -f "$0/$file" && test -f "./$file" || continue
      { read -r version && read -r oid; } < "$0/$file" || continue
      sum=$(sha256sum < "./$file")
      test "oid sha256:\${sum%% *}" != "$oid" || cp -p "./$file" "$0/$file"
    done' "$2" < "$list/lfs"
    symlinks=true
    if grep -q false "$list/symlinks"; then symlinks=false; fi
    git -c core.symlinks=$symlinks status --porcelain -z --no-renames --untracked-files=all --ignore-submodules=dirty \\
      > "$list/status"
    # Folders that are not sent with the work tree are not deleted from it.
    xargs -0 -r sh -euc 'for change; do
      file=\${change#???} top=
      case "\${change%"$file"}/$file" in
        " D /node_modules/"*|" D /.venv/"*) top=\${file%%/*} ;;
        " D "*/node_modules/*) top=\${file%%/node_modules/*}/node_modules ;;
        " D "*/.venv/*) top=\${file%%/.venv/*}/.venv ;;
      esac
      test -n "$top" && ! test -e "./$top" || printf "%s\\000" "$change"
    done' sh < "$list/status" > "$list/changes"
    xargs -0 -r sh -euc 'for change; do printf "%s %s\\n" changed "\${change%"\${change#???}"}$0\${change#???}"; done' "$3" \\
      < "$list/changes"
    xargs -0 -r sh -euc 'for change; do printf "./%s\\000" "\${change#???}"; done' sh < "$list/changes" > "$list/names"
    ( cd "$2" && xargs -0 -r rm -rf < "$list/names" )
    # All at once by tar, except names with a backslash, which tar reads as an escape.
    xargs -0 -r sh -euc 'for file; do
      if test -e "$file/.git"; then continue; fi
      test -e "$file" || test -L "$file" || continue
      case $file in
        *\\\\*) mkdir -p "$0/\${file%/*}"; cp -pP "$file" "$0/$file" ;;
        *) printf "%s\\000" "$file" ;;
      esac
    done' "$2" < "$list/names" > "$list/present"
    xargs -0 -r sh -euc 'to=$1; shift; tar -cf "$0/tar" "$@" && tar -xf "$0/tar" -C "$to"' "$list" "$2" < "$list/present"
  fi
  xargs -0 -r sh -euc 'at=$1; shift; for file; do
    test -f "$0/$file" || continue
    case $(head -c 39 "$0/$file" | tr -d "\\000") in
      "version https://git-lfs.github.com/spec") printf "lfs %s%s\\n" "$at" "$file" ;;
    esac
  done' "$2" "$3" < "$list/lfs"
  while IFS= read -r file; do
    if test -e "$1/$file/.git"; then put "$1/$file" "$2/$file" "$3$file/"; else printf 'submodule %s\\n' "$3$file"; fi
  done < "$list/submodules"
  rm -r "$list"
)

umask 022
put "$PWD" "$2" ""
chmod -R u=rwX,go=rX "$2"
find "$2" -exec touch -h -d "@$1" {} +
`

/** The files to build. */
export type Context = {
  files: Directory
  /** The differences from the commit, as `git status --porcelain` writes them. */
  changes: string[]
}

/**
 * The build context: the commit's files, plus the work tree's changes if there are any. Anything else on a laptop (dependencies,
 * secrets, caches) stays out, git's setup there has no effect, and modes and times depend only on the commit: the same commit
 * gives the same context everywhere.
 *
 * @param seconds the commit's time, which every file gets, in seconds since 1970
 * @param folder the folder of the repository to build in
 * @throws UserError if that folder does not exist, or the content of Git LFS files or submodules is missing
 */
export async function buildContext(
  workTree: ContainerShell,
  seconds: number,
  folder: string,
): Promise<Context> {
  const to = `${workFolder}/context`
  const changes = await writeContext(workTree.run, seconds, to, folder)
  const files = workTree.container.directory(to)
  if (folder === "" || folder === ".") return { files, changes }
  if (await files.exists(folder)) return { files: files.directory(folder), changes }
  throw new UserError(
    `The repository has no folder "${folder}" to build in.`,
    "",
    "Pass the folder to build in: --context",
  )
}

/**
 * Writes the files of {@link buildContext} to a folder that does not exist yet.
 *
 * @returns what differs from the commit
 */
export async function writeContext(
  shell: Shell,
  seconds: number,
  to: string,
  folder: string,
): Promise<string[]> {
  const { code, stdout, stderr } = await shell(contextScript, String(seconds), to)
  if (code !== 0) {
    throw new UserError(
      "The commit's files cannot be read.",
      gitSays(stderr),
      "If it is a partial or shared clone, fetch what is missing: git fetch --refetch --no-filter, or make a full clone.",
    )
  }
  const lines = (key: string) =>
    stdout.split("\n").flatMap(line => (line.startsWith(`${key} `) ? [line.slice(key.length + 1)] : []))
  const inside = folder === "" || folder === "." ? "" : `${folder.replace(/^(\.\/)+|\/+$/g, "")}/`
  const lfs = lines("lfs").filter(path => path.startsWith(inside))
  if (lfs.length > 0) {
    throw missing(lfs, "Git LFS file", "git lfs pull   (in CI: install Git LFS before the clone)")
  }
  const submodules = lines("submodule").filter(
    path => `${path}/`.startsWith(inside) || inside.startsWith(`${path}/`),
  )
  if (submodules.length > 0) {
    throw missing(
      submodules,
      "submodule",
      "git submodule update --init --recursive   (in CI: clone with submodules)",
    )
  }
  return lines("changed")
}

function missing(paths: string[], what: string, remedy: string): UserError {
  const some = paths.slice(0, 5).join(", ") + (paths.length > 5 ? `, and ${paths.length - 5} more` : "")
  return new UserError(
    `The content of ${paths.length === 1 ? `a ${what}` : `${paths.length} ${what}s`} is not in the clone: ${some}.`,
    "The image would be built without it.",
    `Fetch it: ${remedy}`,
  )
}

/**
 * Refuses a work tree that differs from its commit, since a version names a commit.
 *
 * @throws UserError with the files that differ
 */
export function refuseChanges({ changes }: Context): void {
  if (changes.length === 0) return
  const more = changes.length > 8 ? `\n… and ${changes.length - 8} more` : ""
  throw new UserError(
    "The work tree has uncommitted changes; a release is made from a commit.",
    changes.slice(0, 8).join("\n") + more,
    "Commit them (git commit), stash them (git stash -u), or list them in .gitignore. If git sees no changes, a filter in .gitattributes, such as git-crypt's, has changed the files: filters are not run here, so release from a clone without it.",
  )
}
