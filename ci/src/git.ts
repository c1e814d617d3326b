import { posix } from "node:path"
import { type Container, type Directory, dag, ReturnType } from "@dagger.io/dagger"
import { UserError } from "./errors.js"

/** Docker's own image of its client, which holds git 2.54: https://hub.docker.com/_/docker */
export const defaultGitImage =
  "public.ecr.aws/docker/library/docker:29.8.1-cli@sha256:018edbc908e08fcc9dbf029c812c34251e9b4719e6f71ca0e5eae2a987d014ca"

/** Hands git the token from the environment, so that it stands in no argument list and no URL (gitcredentials(7)). */
const credentials =
  '!f() { test "$1" = get && test -n "$GIT_TOKEN" && printf "username=%s\\npassword=%s\\n" "$GIT_USERNAME" "$GIT_TOKEN"; }; f'

/** Settings that make git answer the same everywhere, whatever the repository's or the machine's own settings say. */
const settings = [
  ["safe.directory", "*"], // inside the container the files belong to somebody else
  ["core.hooksPath", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  ["push.followTags", "false"],
  ["push.gpgSign", "false"],
  ["http.lowSpeedLimit", "1"], // bytes a second …
  ["http.lowSpeedTime", "15"], // … for so many seconds: the remote hangs
  ["credential.helper", ""],
  ["credential.helper", credentials],
] as const

/** The environment that carries them (git-config(1), GIT_CONFIG_COUNT). */
export const gitEnvironment: Record<string, string> = {
  LC_ALL: "C.UTF-8",
  GIT_TERMINAL_PROMPT: "0",
  GIT_NO_REPLACE_OBJECTS: "1",
  GIT_CONFIG_COUNT: String(settings.length),
  ...Object.fromEntries(
    settings.flatMap(([key, value], i) => [
      [`GIT_CONFIG_KEY_${i}`, key],
      [`GIT_CONFIG_VALUE_${i}`, value],
    ]),
  ),
}

/**
 * A container with git whose work folder is a private, writable copy of the repository.
 *
 * @param gitDir the git directory of a linked work tree or a submodule, whose `.git` is a file that points to it: it is put
 *   where that file says (gitrepository-layout(5))
 */
export async function gitContainer(image: string, source: Directory, gitDir?: Directory): Promise<Container> {
  const container = Object.entries(gitEnvironment).reduce(
    (c, [name, value]) => c.withEnvVariable(name, value),
    dag.container().from(image).withMountedDirectory("/src", source).withWorkdir("/src"),
  )
  if (!gitDir || !(await source.entries()).includes(".git")) return container
  const pointer = (await source.file(".git").contents()).replace(/^gitdir: /, "").trim()
  const place = posix.resolve("/src", pointer).replace(/\/worktrees\/[^/]+$/, "")
  return container.withMountedDirectory(place, gitDir).withEnvVariable("GIT_WORK_TREE", "/src")
}

/** What a script left behind. */
export type Ran = { code: number; stdout: string; stderr: string }

/** Runs a POSIX shell script where the repository is: in a container here, on the spot in tests. */
export type Shell = (script: string, ...args: string[]) => Promise<Ran>

/** A shell in a container's work folder. As in any shell, each script finds what the ones before it left. */
export class ContainerShell {
  /** Set once there is a way to the remote: from then on every script runs anew, and none is answered from the cache. */
  live = false
  private scripts = 0

  constructor(public container: Container) {}

  readonly run: Shell = async (script, ...args) => {
    this.scripts += 1
    const now = `${Date.now()}-${this.scripts}`
    const ready = this.live ? this.container.withEnvVariable("ASKED_AT", now) : this.container
    const container = ready.withExec(["sh", "-euc", script, "sh", ...args], { expect: ReturnType.Any })
    this.container = container
    return {
      code: await container.exitCode(),
      stdout: await container.stdout(),
      stderr: await container.stderr(),
    }
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

/** git's message without its hints and without credentials that a URL may hold. */
export function gitSays(stderr: string): string {
  return stderr
    .replace(/(\w+:\/\/)[^\s/@]*@/g, "$1")
    .split("\n")
    .filter(line => line.trim() !== "" && !line.startsWith("hint:"))
    .slice(-6)
    .join("\n")
}
