/**
 * Gives git the token from the environment, so that it is in no argument list and no URL (gitcredentials(7)), and only for the
 * remote itself: protocol and host have to match `GIT_TOKEN_FOR`.
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
 * What Git LFS would store for a file: the pointer to its content (Git LFS specification, "The Pointer"). With it git can see
 * whether a file differs from its commit, without Git LFS. git expands % in it, so only printf's own may be there.
 */
const lfsPointer = `f() {
  file=$(mktemp) && cat > "$file" || exit 1
  if ! test -s "$file" || test "$(head -c 39 "$file" | tr -d '\\000')" = 'version https://git-lfs.github.com/spec'; then
    cat "$file"
  else
    sum=$(sha256sum "$file") && size=$(wc -c < "$file") || exit 1
    set -- $sum
    printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize %d\\n' "$1" "$size"
  fi
  rm "$file"
}; f`

/**
 * The only settings that git uses, so that it behaves the same everywhere: those of the machine and of the repository are
 * ignored. A checkout with CRLF line endings counts as unchanged (`core.autocrlf=input`).
 *
 * @param protocols the protocols that git may use for a remote
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
	lowSpeedLimit = 100
	lowSpeedTime = 15
[advice]
	graftFileDeprecated = false
[credential]
	helper = ${JSON.stringify(credentialHelper)}
[filter "lfs"]
	clean = ${JSON.stringify(lfsPointer)}
[protocol]
	allow = never
${protocols.map(name => `[protocol "${name}"]\n\tallow = always\n`).join("")}`
}

/** Where that configuration is in a container. */
export const gitConfigFile = "/etc/ecs-release.gitconfig"

/** The environment that git runs in. */
export const gitEnvironment: Record<string, string> = {
  LC_ALL: "C.UTF-8",
  GIT_CONFIG_GLOBAL: gitConfigFile,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_NO_REPLACE_OBJECTS: "1",
  GIT_GRAFT_FILE: "/dev/null",
}
