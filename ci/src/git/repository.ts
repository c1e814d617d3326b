import { posix } from "node:path"
import { type Container, type Directory, dag, ReturnType, type Secret, type Service } from "@dagger.io/dagger"
import { UserError } from "../lib/errors.js"

/** Docker's own image of its client, which holds git 2.54: https://hub.docker.com/_/docker */
export const defaultGitImage =
  "public.ecr.aws/docker/library/docker:29.8.1-cli@sha256:018edbc908e08fcc9dbf029c812c34251e9b4719e6f71ca0e5eae2a987d014ca"

/**
 * Hands git the token from the environment, so that it is in no argument list and no URL (gitcredentials(7)). Only to the
 * remote itself: protocol and host have to be those of `GIT_TOKEN_FOR`.
 */
const credentialHelper = `!f() {
  test "$1" = get || exit 0
  protocol=; host=
  while IFS='=' read -r key value; do
    case $key in protocol) protocol=$value ;; host) host=$value ;; esac
  done
  test -n "\${GIT_TOKEN:-}" && test "$protocol://$host" = "\${GIT_TOKEN_FOR:-}" || exit 0
  printf 'username=%s\\npassword=%s\\n' "$GIT_USERNAME" "$GIT_TOKEN"
}; f`

/**
 * What Git LFS would store for a file: the pointer to its content (Git LFS specification, "The Pointer"). With it git can tell
 * whether a file differs from its commit, without Git LFS.
 */
const lfsPointer = `f() {
  file=$(mktemp) && cat > "$file" || exit 1
  case $(head -c 40 "$file" | tr -d '\\000') in
    'version https://git-lfs.github.com/spec/'* | '') cat "$file" ;;
    *)
      sum=$(sha256sum "$file") && size=$(wc -c < "$file") || exit 1
      set -- $sum
      printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize %d\\n' "$1" "$size" ;;
  esac
  rm "$file"
}; f`

/**
 * The only settings that git goes by, so that it answers the same everywhere: neither the machine's nor the repository's own
 * count ({@link freshConfig}). A checkout with CRLF line ends counts as unchanged (`core.autocrlf=input`).
 *
 * @param protocols what git may speak to a remote
 */
export function gitConfig(protocols = ["https", "http"]): string {
  return `[safe]
	directory = *
[core]
	hooksPath = /dev/null
	fsmonitor = false
	autocrlf = input
	safecrlf = false
	attributesFile = /dev/null
[gc]
	auto = 0
[maintenance]
	auto = false
[push]
	followTags = false
	gpgSign = false
[http]
	followRedirects = false
	lowSpeedLimit = 1
	lowSpeedTime = 15
[credential]
	helper = ${JSON.stringify(credentialHelper)}
[filter "lfs"]
	clean = ${JSON.stringify(lfsPointer)}
[protocol]
	allow = never
${protocols.map(name => `[protocol "${name}"]\n\tallow = always\n`).join("")}`
}

const configFile = "/etc/ecs-release.gitconfig"

/** The environment that git runs in. */
export const gitEnvironment: Record<string, string> = {
  LC_ALL: "C.UTF-8",
  GIT_CONFIG_GLOBAL: configFile,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_NO_REPLACE_OBJECTS: "1",
}

/**
 * Gives the private copy of a repository, and of its submodules, a configuration that holds what describes it and nothing that
 * changes what git does (url.insteadOf, http.proxy, filters, credential helpers, …). The origin's address is kept without a
 * name and password. Attributes and grafts that no commit holds go too.
 */
export const freshConfig = `
fresh_config() {
  new=$1/config.fresh; : > "$new"
  for key in core.repositoryformatversion core.bare core.filemode core.symlinks core.ignorecase \\
    extensions.objectformat extensions.refstorage extensions.partialclone \\
    remote.origin.tagopt remote.origin.promisor remote.origin.partialclonefilter; do
    if value=$(git config --file "$1/config" --no-includes --get "$key"); then git config --file "$new" "$key" "$value"; fi
  done
  if git config --file "$1/config" --no-includes --get-all remote.origin.url > "$1/url.fresh"; then
    read -r url < "$1/url.fresh" || true
    case $url in
      *://*)
        rest=\${url#*://}; host=\${rest%%/*}; path=\${rest#"$host"}
        url=\${url%%://*}://\${host##*@}$path ;;
    esac
    git config --file "$new" remote.origin.url "$url"
  fi
  rm -f "$1/url.fresh" "$1/config.worktree" "$1/info/attributes" "$1/info/grafts"
  mv "$new" "$1/config"
}
if common=$(git rev-parse --path-format=absolute --git-common-dir 2> /dev/null) && test -f "$common/config"; then
  fresh_config "$common"
  rm -f "$common"/worktrees/*/config.worktree
  if test -d "$common/modules"; then
    find "$common/modules" -type f -name HEAD > "$common/modules.fresh"
    while IFS= read -r head; do
      test ! -f "\${head%/HEAD}/config" || fresh_config "\${head%/HEAD}"
    done < "$common/modules.fresh"
    rm "$common/modules.fresh"
  fi
  git update-ref -d refs/ecs-release/branch
fi
`

/**
 * A container with git whose work folder is a private, writable copy of the repository.
 *
 * @param gitDir the git directory of a linked work tree or a submodule, whose `.git` is a file that points to it: it is put
 *   where that file says (gitrepository-layout(5))
 */
export async function gitContainer(image: string, source: Directory, gitDir?: Directory): Promise<Container> {
  const container = Object.entries(gitEnvironment).reduce(
    (c, [name, value]) => c.withEnvVariable(name, value),
    dag
      .container()
      .from(image)
      .withNewFile(configFile, gitConfig())
      .withMountedDirectory("/src", source)
      .withWorkdir("/src"),
  )
  if (!gitDir || !(await source.entries()).includes(".git")) return container
  const pointer = (await source.file(".git").contents()).replace(/^gitdir: /, "").trim()
  const place = posix.resolve("/src", pointer).replace(/\/worktrees\/[^/]+$/, "")
  return container.withMountedDirectory(place, gitDir).withEnvVariable("GIT_WORK_TREE", "/src")
}

/**
 * For scripts that ask a remote: `ask COMMAND` runs a command and puts all that it says into `$said`. If the command fails, that
 * goes to standard error too, as printable ASCII, since a server's words are in it. `refs` prints the refs among what was said.
 */
export const asking = `
ask() {
  if said=$("$@" 2>&1); then return 0; else code=$?; fi
  printf '%s\\n' "$said" | tr -cd '\\11\\12\\40-\\176' >&2
  return $code
}
refs() { printf '%s\\n' "$said" | grep -E '^[0-9a-f]{40,64}[[:space:]]refs/' || test $? = 1; }
`

/** What a script left behind. */
export type Ran = { code: number; stdout: string; stderr: string }

/** Runs a POSIX shell script where the repository is: in a container here, on the spot in tests. */
export type Shell = (script: string, ...args: string[]) => Promise<Ran>

const outputFile = "/tmp/ecs-release.out"

/**
 * Runs a script and keeps its standard output in a file, so that what it reads of a repository is in nobody's terminal. Its exit
 * code stays below 128, since an engine makes an error of 128 to 191 whatever is expected (`ReturnType.Any`), and git's own
 * is 128.
 */
const wrapper = `sh -euc "$0" sh "$@" > ${outputFile} || { code=$?; test $code -lt 120 || code=120; exit $code; }`

/** The way to a remote: what a script that asks it needs besides the repository. */
export type Way = {
  service?: Service
  environment: Record<string, string>
  /** By variable; there while the remote is asked, and gone afterwards. */
  secrets: Record<string, Secret>
}

/** A shell in a container's work folder. As in any shell, each script finds what the ones before it left. */
export class ContainerShell {
  private secrets: Way["secrets"] = {}
  private begun = false
  private asked = 0

  constructor(public container: Container) {}

  /** Opens the way to a remote, for {@link remote}. */
  open({ service, environment, secrets }: Way): void {
    this.secrets = secrets
    if (service) this.container = this.container.withServiceBinding("git-remote", service)
    for (const [name, value] of Object.entries(environment)) {
      this.container = this.container.withEnvVariable(name, value)
    }
  }

  /** Runs a script that needs the repository alone. */
  readonly run: Shell = (script, ...args) => {
    const whole = this.begun ? script : freshConfig + script
    this.begun = true
    return this.exec(whole, args)
  }

  /** Runs a script that asks the remote: it sees the token, and is never answered from the cache. */
  readonly remote: Shell = async (script, ...args) => {
    this.asked += 1
    this.container = this.container.withEnvVariable("ASKED_AT", `${Date.now()}-${this.asked}`)
    for (const [name, secret] of Object.entries(this.secrets)) {
      this.container = this.container.withSecretVariable(name, secret)
    }
    const ran = await this.exec(script, args)
    for (const name of Object.keys(this.secrets)) this.container = this.container.withoutSecretVariable(name)
    return ran
  }

  private async exec(script: string, args: string[]): Promise<Ran> {
    this.container = this.container.withExec(["sh", "-c", wrapper, script, ...args], {
      expect: ReturnType.Any,
    })
    const code = await this.container.exitCode()
    const [stdout, stderr] = await Promise.all([
      this.container.file(outputFile).contents(),
      this.container.stderr(),
    ])
    return { code, stdout, stderr }
  }
}

/**
 * Runs a script that has to succeed.
 *
 * @param what what fails if it does not, for the error: "The commits cannot be read."
 * @throws UserError with git's own words
 */
export async function must(shell: Shell, what: string, script: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await shell(script, ...args)
  if (code === 0) return stdout
  throw new UserError(what, gitSays(stderr))
}

/** git's last words, without its hints and without a name and password that a URL may hold. Linear in their length. */
export function gitSays(stderr: string): string {
  return stderr
    .replace(/:\/\/[^\s/@]*@/g, "://")
    .split("\n")
    .filter(line => line.trim() !== "" && !line.startsWith("hint:"))
    .slice(-6)
    .map(line => (line.length > 500 ? `${line.slice(0, 500)}…` : line))
    .join("\n")
}
