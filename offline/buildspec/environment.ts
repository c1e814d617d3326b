import { randomUUID } from "node:crypto"
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { delimiter, dirname, join } from "node:path"
import type { DockerTarget } from "../machine/docker.js"
import { isRoot, type Log, machineHome } from "../machine/home.js"
import { canInstall, installDebian } from "../machine/packages.js"
import { BuildError } from "./command.js"
import { eventVariables, type WebhookEvent } from "./event.js"
import type { Project } from "./project.js"

/** The tools in CodeBuild's standard image that the buildspec uses, besides those that every Linux has. */
const TOOLS = ["git", "curl", "jq"]
const USUAL = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]

/**
 * Sets up what a build's commands see: their own home, the tools, a `docker` that reaches a daemon, and, already installed as
 * `dagger`, the one that needs no engine, pointed at the stand-ins. Nothing else from this process's environment.
 *
 * @param folder an empty folder for it
 * @param options.privileged without it CodeBuild has no Docker daemon, so neither has the build
 * @throws BuildError, with what to install, if a tool is missing
 */
export async function baseEnvironment(
  folder: string,
  options: {
    checkout: string
    docker: DockerTarget
    awsPort: number
    gitPort: number
    privileged: boolean
    log: Log
  },
): Promise<Record<string, string>> {
  const { checkout, docker, awsPort, gitPort, privileged } = options
  const [bin, home] = [join(folder, "bin"), join(folder, "home")]
  for (const one of [bin, home]) mkdirSync(one, { recursive: true })
  symlinkSync(docker.cli, join(bin, "docker"))
  const dagger = join(checkout, "offline/dagger")
  writeFileSync(
    join(bin, "dagger"),
    `#!/bin/sh
# The Dagger CLI of this build. The build's AWS and git host are on loopback, so calls need their addresses.
[ "\${1:-}" = call ] || exec '${dagger}' "$@"
shift
exec '${dagger}' call --aws-endpoint=tcp://127.0.0.1:${awsPort} --git-endpoint=tcp://127.0.0.1:${gitPort} "$@"
`,
  )
  chmodSync(join(bin, "dagger"), 0o755)
  const folders = [...(await toolFolders(options.log)), dirname(process.execPath)]
  return {
    PATH: [...new Set([bin, ...USUAL, ...folders])].join(delimiter),
    HOME: home,
    // Where root keeps the machine's files does not depend on HOME.
    ...(isRoot() && !process.env.ECS_RELEASE_HOME ? {} : { ECS_RELEASE_HOME: machineHome() }),
    DOCKER_HOST: privileged ? docker.host : `unix://${folder}/no-docker.sock`,
  }
}

async function toolFolders(log: Log): Promise<string[]> {
  const missing = () => TOOLS.filter(tool => !folderOf(tool))
  if (missing().length > 0 && canInstall()) await installDebian(missing(), log)
  if (missing().length > 0) {
    throw new BuildError(
      `CodeBuild's image has ${missing().join(" and ")}, but this machine does not. Install it, then run this again.`,
    )
  }
  return TOOLS.map(tool => folderOf(tool) as string)
}

function folderOf(tool: string): string | undefined {
  return [...(process.env.PATH ?? "").split(delimiter), ...USUAL].find(
    folder => folder && existsSync(join(folder, tool)),
  )
}

/** The variables that CodeBuild itself sets (Environment variables in build environments). */
export function builtInVariables(build: {
  project: Project
  event: WebhookEvent
  region: string
  accountId: string
  repositoryUrl: string
  sourceDir: string
}): Record<string, string> {
  const { project, event, region, accountId } = build
  const uuid = randomUUID()
  return {
    AWS_DEFAULT_REGION: region,
    AWS_REGION: region,
    CODEBUILD_BUILD_ARN: `arn:aws:codebuild:${region}:${accountId}:build/${project.name}:${uuid}`,
    CODEBUILD_BUILD_ID: `${project.name}:${uuid}`,
    CODEBUILD_BUILD_IMAGE: project.image,
    CODEBUILD_BUILD_NUMBER: "1",
    CODEBUILD_BUILD_SUCCEEDING: "1",
    CODEBUILD_CI: "true",
    CODEBUILD_SOURCE_REPO_URL: build.repositoryUrl,
    CODEBUILD_SRC_DIR: build.sourceDir,
    CODEBUILD_START_TIME: `${Date.now()}`,
    ...eventVariables(event),
  }
}

/**
 * The project's variables, those from Secrets Manager with their values.
 *
 * @param secrets stands in for Secrets Manager: secrets by name
 * @throws BuildError if a secret does not exist
 */
export function projectVariables(project: Project, secrets: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    project.variables.map(({ name, secret, value }) => {
      if (!secret) return [name, value]
      const found = secrets[value]
      if (found !== undefined) return [name, found]
      const known = Object.keys(secrets).join(", ") || "none"
      throw new BuildError(
        `Secrets Manager can't find the specified secret: ${value}. Available offline: ${known}.`,
      )
    }),
  )
}

/** Temporary credentials of a role. */
export interface RoleCredentials {
  /** The role's ARN. */
  role: string
  id: string
  secret: string
  token: string
}

/**
 * Serves a build's role credentials as http://169.254.170.2 does in CodeBuild. That address would have to be this
 * machine's; on loopback instead, the same path is given by AWS_CONTAINER_CREDENTIALS_FULL_URI, which AWS's tools know too.
 */
export async function serveCredentials(given: RoleCredentials) {
  const path = `/v2/credentials/${randomUUID()}`
  const body = JSON.stringify({
    RoleArn: given.role,
    AccessKeyId: given.id,
    SecretAccessKey: given.secret,
    Token: given.token,
    Expiration: new Date(Date.now() + 3600_000).toISOString(),
  })
  const server = createServer((request, response) => {
    const found = request.method === "GET" && request.url === path
    response.writeHead(found ? 200 : 404, { "Content-Type": "application/json" })
    response.end(found ? body : '{"code":"NoIdInRequest","message":"no such credentials"}')
  })
  await new Promise<void>(done => server.listen(0, "127.0.0.1", done))
  const { port } = server.address() as AddressInfo
  return {
    /** How AWS's tools find it. */
    variables: {
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: path,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}${path}`,
    },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
