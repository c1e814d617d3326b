import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import type { DockerTarget } from "../machine/docker.js"
import { isRoot, type Log, machineHome } from "../machine/home.js"
import { canInstall, installDebian } from "../machine/packages.js"
import { BuildError } from "./errors.js"

/** What CodeBuild's standard image has and the buildspec uses, beside what every Linux has. */
const TOOLS = ["git", "curl", "jq"]
const USUAL = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]

/** Where the stand-ins for AWS and for the git host are on loopback. */
export interface Endpoints {
  awsPort: number
  gitPort: number
}

/**
 * Makes the environment that a build's commands find: a home of their own, the tools, a `docker` that reaches a daemon,
 * and as `dagger` the one that needs no engine, installed already, pointed at the stand-ins. Nothing else of this
 * process's environment.
 *
 * @param folder an empty folder for it
 * @param privileged without it CodeBuild has no Docker daemon, so neither has the build
 * @throws BuildError, with what to install, where a tool is missing
 */
export async function baseEnvironment(
  folder: string,
  options: { checkout: string; docker: DockerTarget; endpoints: Endpoints; privileged: boolean; log: Log },
): Promise<Record<string, string>> {
  const { checkout, docker, endpoints, privileged } = options
  const [bin, home] = [join(folder, "bin"), join(folder, "home")]
  for (const one of [bin, home]) mkdirSync(one, { recursive: true })
  symlinkSync(docker.cli, join(bin, "docker"))
  writeFileSync(join(bin, "dagger"), standIn(join(checkout, "offline/dagger"), endpoints))
  chmodSync(join(bin, "dagger"), 0o755)
  const folders = [...(await toolFolders(options.log)), dirname(process.execPath)]
  return {
    PATH: [...new Set([bin, ...USUAL, ...folders])].join(delimiter),
    HOME: home,
    // Where root keeps what is the machine's does not depend on HOME.
    ...(isRoot() && !process.env.ECS_RELEASE_HOME ? {} : { ECS_RELEASE_HOME: machineHome() }),
    DOCKER_HOST: privileged ? docker.host : `unix://${folder}/no-docker.sock`,
  }
}

function standIn(dagger: string, { awsPort, gitPort }: Endpoints): string {
  return `#!/bin/sh
# The Dagger CLI of this build. The build's AWS and git host are on loopback, so calls are told where.
[ "\${1:-}" = call ] || exec '${dagger}' "$@"
shift
exec '${dagger}' call --aws-endpoint=tcp://127.0.0.1:${awsPort} --git-endpoint=tcp://127.0.0.1:${gitPort} "$@"
`
}

async function toolFolders(log: Log): Promise<string[]> {
  const missing = () => TOOLS.filter(tool => !folderOf(tool))
  if (missing().length > 0 && canInstall()) await installDebian(missing(), log)
  if (missing().length > 0) {
    throw new BuildError(
      `${missing().join(" and ")}, which CodeBuild's image has, can't be found. Install it, then run this again.`,
    )
  }
  return TOOLS.map(tool => folderOf(tool) as string)
}

function folderOf(tool: string): string | undefined {
  return [...(process.env.PATH ?? "").split(delimiter), ...USUAL].find(
    folder => folder && existsSync(join(folder, tool)),
  )
}
