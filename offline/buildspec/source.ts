import { existsSync, readFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { run } from "../machine/process.js"
import { BuildError } from "./command.js"

/**
 * Runs git in a folder, without the user's settings, and returns what it printed.
 *
 * @param options.token opens the remote; it is not kept
 * @throws BuildError if git fails
 */
export async function git(
  folder: string,
  args: string[],
  options: { token?: string; env?: Record<string, string> } = {},
): Promise<string> {
  const basic = Buffer.from(`x-access-token:${options.token}`).toString("base64")
  const { code, stdout, stderr } = await run("git", ["-c", "safe.directory=*", "-C", folder, ...args], {
    env: {
      PATH: process.env.PATH,
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
      ...(options.token !== undefined && {
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: "http.extraHeader",
        GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
      }),
      ...options.env,
    },
  })
  if (code !== 0) throw new BuildError(`git ${args[0]} failed: ${stderr.trim()}`)
  return stdout.trim()
}

/** A remote repository and the token that opens it. */
export interface Repository {
  url: string
  token: string
}

/**
 * Clones a repository and checks a commit out, detached, as CodeBuild's DOWNLOAD_SOURCE does.
 *
 * @param depth commits to clone; 0 for all
 * @throws BuildError if git fails
 */
export async function downloadSource(
  { url, token }: Repository,
  commit: string,
  depth: number,
  folder: string,
): Promise<void> {
  const shallow = depth > 0 ? [`--depth=${depth}`] : []
  await git("/", ["clone", "--quiet", "--no-checkout", ...shallow, url, folder], { token })
  await git(folder, ["cat-file", "-e", `${commit}^{commit}`]).catch(() =>
    git(folder, ["fetch", "--quiet", ...shallow, "origin", commit], { token }),
  )
  await git(folder, ["checkout", "--quiet", "--detach", commit])
}

/**
 * Lets a module in a clone find its packages: those of this checkout, under the clone's parent folder, so that the clone
 * stays as it is. An engine would install them itself.
 *
 * @returns false if the clone needs others than this checkout has
 */
export function lendPackages(checkout: string, parent: string, clone: string): boolean {
  symlinkSync(join(checkout, "node_modules"), join(parent, "node_modules"))
  return lockfile(clone) === lockfile(checkout)
}

function lockfile(folder: string): string {
  const file = join(folder, "package-lock.json")
  return existsSync(file) ? readFileSync(file, "utf8") : ""
}
