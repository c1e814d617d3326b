import { ensureEmulator, recordOf } from "../aws/emulator.js"
import { WORLD } from "../aws/names.js"
import { ensureGitRemote } from "../git/remote.js"
import { type DockerTarget, ensureDocker } from "../machine/docker.js"
import type { Log } from "../machine/home.js"
import type { RoleCredentials } from "./credentials.js"
import type { Secrets } from "./secrets.js"
import type { Repository } from "./source.js"
import type { Endpoints } from "./tools.js"

/** What a build meets of the world outside, all of it on this machine. */
export interface Sandbox {
  docker: DockerTarget
  endpoints: Endpoints
  accountId: string
  region: string
  /** Where the service answers. */
  appUrl: string
  repository: Repository
  /** The credentials that a release's build gets from its role. */
  role: RoleCredentials
  /** Those of a role without any right here, which builds of pull requests have. */
  powerless: RoleCredentials
  /** Stands for Secrets Manager. */
  secrets: Secrets
}

/**
 * Finds or starts Docker, the AWS emulator and the git remote of `source`.
 *
 * @param stateDir the folder that owns them
 * @param gitTokenSecret name of the secret that holds the git remote's token
 */
export async function openSandbox(options: {
  stateDir: string
  source: string
  gitTokenSecret: string
  log: Log
}): Promise<Sandbox> {
  const { stateDir, source, gitTokenSecret, log } = options
  const docker = await ensureDocker(log)
  const [emulator, git] = await Promise.all([
    ensureEmulator({ docker, stateDir, log }),
    ensureGitRemote({ stateDir, source, log }),
  ])
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = emulator.env
  const until = recordOf(stateDir)?.session?.until ?? Date.now() + 3600_000
  return {
    docker,
    endpoints: { awsPort: emulator.port, gitPort: git.port },
    accountId: WORLD.accountId,
    region: WORLD.region,
    appUrl: emulator.appUrl,
    repository: { url: `http://127.0.0.1:${git.port}${git.path}`, token: git.token },
    role: { role: roleArn(WORLD.pipelineRole), id, secret, token, until },
    powerless: {
      role: roleArn("pull-request"),
      id: "ASIAPULLREQUEST",
      secret: "no-rights",
      token: "no-rights",
      until,
    },
    secrets: { [gitTokenSecret]: git.token },
  }
}

function roleArn(name: string): string {
  return `arn:aws:iam::${WORLD.accountId}:role/${name}`
}
