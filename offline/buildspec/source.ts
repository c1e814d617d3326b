import { run } from "../machine/process.js"
import { BuildError } from "./errors.js"

/** A remote repository and the token that opens it. */
export interface Repository {
  url: string
  token: string
}

/**
 * Clones a repository and checks a commit out, detached, as CodeBuild's DOWNLOAD_SOURCE does. The token is not kept in the
 * clone.
 *
 * @param depth commits to clone; 0 for all
 * @throws BuildError where git fails
 */
export async function downloadSource(
  { url, token }: Repository,
  commit: string,
  depth: number,
  folder: string,
): Promise<void> {
  const shallow = depth > 0 ? [`--depth=${depth}`] : []
  await git(token, ["clone", "--quiet", "--no-checkout", ...shallow, url, folder])
  const known = await run("git", ["-C", folder, "cat-file", "-e", `${commit}^{commit}`], {
    env: environment(token),
  })
  if (known.code !== 0) await git(token, ["-C", folder, "fetch", "--quiet", ...shallow, "origin", commit])
  await git(token, ["-C", folder, "checkout", "--quiet", "--detach", commit])
}

async function git(token: string, args: string[]): Promise<void> {
  const { code, stderr } = await run("git", args, { env: environment(token) })
  if (code !== 0) throw new BuildError(`git ${args[0] === "-C" ? args[2] : args[0]} failed: ${stderr.trim()}`)
}

function environment(token: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "http.extraHeader",
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`,
  }
}
