import { posix } from "node:path"
import { type Container, type Directory, dag } from "@dagger.io/dagger"
import { UserError } from "../lib/errors.js"
import { gitConfig, gitConfigFile, gitEnvironment } from "./config.js"
import { ContainerShell, gitSays, type Shell, workFolder } from "./shell.js"
import { versionOf } from "./tags.js"

/** Docker's own image of its client, which holds git 2.54: https://hub.docker.com/_/docker */
export const defaultGitImage =
  "public.ecr.aws/docker/library/docker:29.8.1-cli@sha256:018edbc908e08fcc9dbf029c812c34251e9b4719e6f71ca0e5eae2a987d014ca"

/**
 * A repository as the module uses it. The module reads the history and talks to the remote in a repository of its own, which has the
 * source's objects and version tags and nothing else from it: no configuration, no hooks, no other refs. The source's own git
 * directory is in another container, which never sees a token.
 */
export type Repository = {
  /** The history: a bare repository. */
  history: ContainerShell
  /** The source, for its files. */
  workTree: ContainerShell
  source: Source
}

/** What a source says about itself. */
export type Source = {
  /** The commit that is checked out. */
  sha: string
  /** `sha1` or `sha256`. */
  format: string
  /** Folder of its objects. */
  objects: string
  /** Its file of commits without parents, if it is a shallow clone. */
  shallow?: string
  /** The remote's address without a name and password, empty if there is none. */
  origin: string
  /** Whether the clone was told to leave the remote's tags out (`git clone --no-tags`). */
  noTags: boolean
  /** What a partial clone left out, such as `blob:none`. */
  filter?: string
  /** `create REF OBJECT` for each version tag, as `git update-ref --stdin` takes it. */
  refs: string
}

// Only commands that do not run anything from the source's configuration.
const inspectScript = `
dir=$(git rev-parse --git-dir)
objects=$(git rev-parse --git-path objects)
objects=$(cd "$objects" && pwd -P)
format=$(git rev-parse --show-object-format)
refs=$(git for-each-ref --format='%(objectname) %(refname:strip=2)' "refs/tags/$1v*")
say() { printf '%s %s\\000' "$1" "$2"; }
say objects "$objects"
say format "$format"
shallow=$(git rev-parse --git-path shallow)
if test -s "$shallow" && ! test -L "$shallow"; then say shallow "$(cd "$(dirname "$shallow")" && pwd -P)/shallow"; fi
value() { git config --get-all "$1" | head -n 1; }
url=$(value remote.origin.url)
case $url in
  *://*)
    rest=\${url#*://}; host=\${rest%%/*}; path=\${rest#"$host"}
    url=\${url%%://*}://\${host##*@}$path ;;
esac
say origin "$url"
say tagopt "$(value remote.origin.tagopt)"
if test "$(value remote.origin.promisor)" = true; then say filter "$(value remote.origin.partialclonefilter)"; fi
if sha=$(git rev-parse --quiet --verify HEAD); then say head "$sha"; fi
if ! test "\${sha:-}" && ! git symbolic-ref --quiet HEAD > /dev/null; then exit 1; fi
say refs "$refs"
`

/**
 * Reads what a source says about itself.
 *
 * @param prefix what stands before the `v` of a version tag
 * @throws UserError if it is no repository, or one without commits
 */
export async function inspect(shell: Shell, prefix: string): Promise<Source> {
  const { code, stdout, stderr } = await shell(inspectScript, prefix)
  if (code !== 0) throw noRepository(stderr)
  // Records end in NUL, which nothing in them can contain, so that no name or value can fake another.
  const records = stdout.split("\0")
  const value = (key: string) => records.find(record => record.startsWith(`${key} `))?.slice(key.length + 1)
  const sha = value("head")
  if (sha === undefined) {
    const remedy = "Make a first commit: git add . && git commit -m 'feat: first version'"
    throw new UserError("The repository has no commits, so there is nothing to give a version.", "", remedy)
  }
  return {
    sha,
    format: value("format") ?? "sha1",
    objects: value("objects") ?? "",
    shallow: value("shallow"),
    origin: value("origin") ?? "",
    noTags: value("tagopt") === "--no-tags",
    filter: value("filter"),
    refs: (value("refs") ?? "")
      .split("\n")
      .flatMap(line => {
        const [, object, tag = ""] = /^([0-9a-f]{40,64}) (\S+)$/.exec(line) ?? []
        return versionOf(tag, prefix) === undefined ? [] : [`create refs/tags/${tag} ${object}`]
      })
      .join("\n"),
  }
}

/** Makes the history's repository in the empty folder it runs in, from what {@link imported} gives. */
export const importHistory = `
git init --quiet --bare --template= --object-format="$OBJECT_FORMAT" .
printf '%s\\n' "$OBJECTS" > objects/info/alternates
if test -n "$SHALLOW"; then cp "$SHALLOW" shallow; fi
if test -n "$FILTER"; then
  git config core.repositoryformatversion 1
  git config extensions.partialclone origin
  git config remote.origin.promisor true
  git config remote.origin.partialclonefilter "$FILTER"
  test -z "\${REMOTE_URL:-}" || git config remote.origin.url "$REMOTE_URL"
fi
if ! git cat-file -e "$SHA^{commit}"; then
  echo "The commit $SHA is not among the repository's objects; are they elsewhere (git clone --shared or --reference)?" >&2
  exit 1
fi
git update-ref --stdin < "$REFS"
# A ref, so that a fetch tells the remote what is already here; a commit that is only checked out has none.
git update-ref refs/ecs-release/head "$SHA"
git update-ref --no-deref HEAD "$SHA"
`

/** The environment of {@link importHistory}, except `OBJECTS`, `SHALLOW` and `REFS`: paths where it runs. */
export function imported({ sha, format, filter = "" }: Source): Record<string, string> {
  return { SHA: sha, OBJECT_FORMAT: format, FILTER: filter }
}

/**
 * Opens a source.
 *
 * @param image an image with git
 * @param gitDir the git directory of a linked work tree or a submodule, whose `.git` is a file that points to it: it is put
 *   where that file says (gitrepository-layout(5))
 * @param prefix what stands before the `v` of a version tag
 * @throws UserError if it is no repository, or one without commits
 */
export async function openRepository(
  image: string,
  source: Directory,
  gitDir: Directory | undefined,
  prefix: string,
): Promise<Repository> {
  const place = gitDir && (await placeOf(source))
  const mounted = withGit(image).withMountedDirectory("/src", source).withWorkdir("/src")
  const workTree = new ContainerShell(
    gitDir && place
      ? mounted.withMountedDirectory(place, gitDir).withEnvVariable("GIT_WORK_TREE", "/src")
      : mounted,
    dag.directory(),
  )
  const found = await inspect(workTree.run, prefix)
  const at = (path: string) => {
    for (const [root, directory] of [["/src", source] as const, [place, gitDir] as const]) {
      if (root && directory && path.startsWith(`${root}/`))
        return { directory, path: path.slice(root.length + 1) }
    }
    throw noRepository(`its objects are outside it, at ${path}`)
  }
  const objects = at(found.objects)
  const shallow = found.shallow === undefined ? undefined : at(found.shallow)
  let history = withGit(image)
    .withMountedDirectory("/objects", objects.directory.directory(objects.path))
    .withWorkdir(`${workFolder}/history`)
  let work = dag
    .directory()
    .withNewDirectory("history")
    .withNewFile("refs", found.refs === "" ? "" : `${found.refs}\n`)
  if (shallow) work = work.withFile("shallow", shallow.directory.file(shallow.path))
  const paths = {
    OBJECTS: "/objects",
    SHALLOW: shallow ? `${workFolder}/shallow` : "",
    REFS: `${workFolder}/refs`,
  }
  for (const [name, value] of Object.entries({ ...imported(found), ...paths })) {
    history = history.withEnvVariable(name, value)
  }
  return { history: new ContainerShell(history, work, importHistory), workTree, source: found }
}

function withGit(image: string): Container {
  return Object.entries(gitEnvironment).reduce(
    (container, [name, value]) => container.withEnvVariable(name, value),
    dag.container().from(image).withNewFile(gitConfigFile, gitConfig()),
  )
}

/** Where the `.git` file of a linked work tree or a submodule says that the git directory is. */
async function placeOf(source: Directory): Promise<string | undefined> {
  if (!(await source.entries()).includes(".git")) return undefined
  const pointer = (await source.file(".git").contents()).replace(/^gitdir: /, "").trim()
  return posix.resolve("/src", pointer).replace(/\/worktrees\/[^/]+$/, "")
}

function noRepository(stderr: string): UserError {
  if (/not a git repository: \//.test(stderr)) {
    return new UserError(
      "The source is a linked work tree or a submodule: its .git is a file that points outside the source.",
      gitSays(stderr),
      'Pass it too: --git-dir "$(git rev-parse --path-format=absolute --git-common-dir)"',
    )
  }
  if (/not a git repository/.test(stderr)) {
    const remedy = "Run inside a git clone, or pass one: --source <folder that holds .git>"
    return new UserError("The source is not a git repository.", gitSays(stderr), remedy)
  }
  return new UserError(
    "The repository cannot be read.",
    gitSays(stderr),
    "Try `git fsck`, or a fresh clone. The module reads it with git 2.30 or later (--git-image).",
  )
}
