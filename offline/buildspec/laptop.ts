import { join } from "node:path"
import { run } from "../machine/process.js"
import { BuildError } from "./errors.js"
import type { Sandbox } from "./sandbox.js"

/**
 * Calls the module as a person does on a laptop: `./offline/dagger call WORDS` in a work tree, against a sandbox.
 *
 * @returns what it prints
 * @throws BuildError with its error message where it fails
 */
export async function callFromLaptop(
  checkout: string,
  sandbox: Sandbox,
  folder: string,
  words: string[],
): Promise<string> {
  const { endpoints, repository, role, secrets } = sandbox
  const flags = [
    `--aws-endpoint=tcp://127.0.0.1:${endpoints.awsPort}`,
    `--git-endpoint=tcp://127.0.0.1:${endpoints.gitPort}`,
    `--git-remote=${repository.url}`,
  ]
  const [GITHUB_TOKEN] = Object.values(secrets)
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: role.id,
    AWS_SECRET_ACCESS_KEY: role.secret,
    AWS_SESSION_TOKEN: role.token,
    GITHUB_TOKEN,
  }
  const done = await run(join(checkout, "offline/dagger"), ["call", ...flags, ...words], { cwd: folder, env })
  if (done.code === 0) return done.stdout
  const why = done.stderr.slice(Math.max(0, done.stderr.lastIndexOf("\nError: "))).trim()
  throw new BuildError(`dagger call ${words.join(" ")}, on the laptop: ${why}`)
}
