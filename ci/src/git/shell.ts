import { type Container, type Directory, ReturnType, type Secret, type Service } from "@dagger.io/dagger"
import { UserError } from "../lib/errors.js"

/** What a script left behind. */
export type Ran = { code: number; stdout: string; stderr: string }

/** Runs a POSIX shell script: in a container here, directly in tests. */
export type Shell = (script: string, ...args: string[]) => Promise<Ran>

/** What a script needs to talk to a remote, besides the repository. */
export type Way = {
  service?: Service
  environment: Record<string, string>
  /** By variable; only there while the script talks to the remote. */
  secrets: Record<string, Secret>
}

/** The exit code of a script whose prelude failed. */
export const preludeFailed = 118

/**
 * The folder that scripts write to, and keep their temporary files in. It is mounted, so that what they write makes no layer of the
 * container's own file system.
 */
export const workFolder = "/ecs-release"

const outputFile = `${workFolder}/output`

/**
 * Runs a script and keeps its standard output in a file, so that what it reads from a repository ends up in no terminal. Its exit
 * code stays below 128, since an engine treats 128 to 191 as an error whatever is expected (`ReturnType.Any`), and git's own
 * is 128.
 */
const wrapper = `sh -euc "$0" sh "$@" > ${outputFile} || { code=$?; test $code -lt 120 || code=120; exit $code; }`

/** A shell in a container's work folder. As in any shell, each script finds what the ones before it left. */
export class ContainerShell {
  private secrets: Way["secrets"] = {}
  private asked = 0
  private turn: Promise<unknown> = Promise.resolve()
  /** Why the prelude failed, if it did: then no result after it can be trusted. */
  private broken?: Ran
  container: Container

  /**
   * @param work what is in {@link workFolder} at first
   * @param prelude a script that runs before the first one, in the same container run. If it fails, so does every script, with its
   *   words and exit code {@link preludeFailed}.
   */
  constructor(
    container: Container,
    work: Directory,
    private prelude = "",
  ) {
    this.container = container.withMountedDirectory(workFolder, work).withEnvVariable("TMPDIR", workFolder)
  }

  /** Opens the way to a remote, for {@link remote}. */
  open({ service, environment, secrets }: Way): void {
    this.secrets = secrets
    if (service) this.container = this.container.withServiceBinding("git-remote", service)
    for (const [name, value] of Object.entries(environment)) {
      this.container = this.container.withEnvVariable(name, value)
    }
  }

  /** Runs a script that does not talk to a remote. */
  readonly run: Shell = (script, ...args) => this.inTurn(() => this.execute(script, args))

  /** Scripts run one after another, however many are requested at once: each needs what the previous one left. */
  private inTurn(work: () => Promise<Ran>): Promise<Ran> {
    const turn = this.turn.then(work)
    this.turn = turn.catch(() => {})
    return turn
  }

  private async execute(script: string, args: string[]): Promise<Ran> {
    if (this.broken) return this.broken
    // Not ( … ) || exit: in such a list, a shell continues after a command that fails.
    const guarded =
      this.prelude && `set +e\n( set -e\n${this.prelude}\n)\ntest $? = 0 || exit ${preludeFailed}\nset -e\n`
    this.prelude = ""
    const whole = guarded + script
    this.container = this.container.withExec(["sh", "-c", wrapper, whole, ...args], {
      expect: ReturnType.Any,
    })
    const code = await this.container.exitCode()
    const [stdout, stderr] = await Promise.all([
      this.container.file(outputFile).contents(),
      this.container.stderr(),
    ])
    if (code === preludeFailed) this.broken = { code, stdout, stderr }
    return { code, stdout, stderr }
  }

  /** Runs a script that talks to the remote: it sees the token, and its result is never taken from the cache. */
  readonly remote: Shell = (script, ...args) =>
    this.inTurn(async () => {
      this.asked += 1
      this.container = this.container.withEnvVariable("ASKED_AT", `${Date.now()}-${this.asked}`)
      for (const [name, secret] of Object.entries(this.secrets)) {
        this.container = this.container.withSecretVariable(name, secret)
      }
      const ran = await this.execute(script, args)
      for (const name of Object.keys(this.secrets))
        this.container = this.container.withoutSecretVariable(name)
      return ran
    })
}

/**
 * For scripts that talk to a remote: `ask COMMAND` runs a command and puts all its output into `$said`. If the command fails, the
 * output also goes to standard error, as printable ASCII, since a server wrote parts of it. `refs` prints the refs in the output.
 * The output goes through a file, which is deleted at once: a pipe would be kept open by a child of git that outlives `timeout`.
 */
export const asking = `
ask() {
  heard=$(mktemp)
  if "$@" > "$heard" 2>&1; then code=0; else code=$?; fi
  said=$(tr -d '\\000' < "$heard")
  rm -f "$heard"
  test $code = 0 || printf '%s\\n' "$said" | tr -cd '\\11\\12\\40-\\176' >&2
  return $code
}
refs() { printf '%s\\n' "$said" | grep -E '^[0-9a-f]{40,64}[[:space:]]refs/' || test $? = 1; }
`

/**
 * Runs a script that has to succeed.
 *
 * @param what the error's first sentence if it fails, such as "The commits cannot be read."
 * @throws UserError with git's own words
 */
export async function must(shell: Shell, what: string, script: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await shell(script, ...args)
  if (code === 0) return stdout
  throw new UserError(what, gitSays(stderr))
}

/** The last lines of git's output, without its hints and without a name and password in a URL. Linear in their length. */
export function gitSays(stderr: string): string {
  return stderr
    .replace(/:\/\/[^\s/]*@/g, "://")
    .split("\n")
    .filter(line => line.trim() !== "" && !line.startsWith("hint:"))
    .slice(-6)
    .map(line => (line.length > 500 ? `${line.slice(0, 500)}…` : line))
    .join("\n")
}
