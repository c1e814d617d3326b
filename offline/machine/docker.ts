import { once } from "node:events"
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from "node:fs"
import { type IncomingMessage, request } from "node:http"
import { join } from "node:path"
import { daemonAddress, daemonAnswers, ownSocket, startDaemon } from "./dockerd.js"
import { isRoot, type Log, machineHome } from "./home.js"
import { withLock } from "./lock.js"
import { canInstall, installDebian } from "./packages.js"
import { run } from "./process.js"

/** A Docker daemon and the client to use with it. */
export interface DockerTarget {
  /** Path of a Docker client that can build with BuildKit. */
  cli: string
  /** The value of DOCKER_HOST. */
  host: string
}

/**
 * Finds or starts a Docker daemon: the one that DOCKER_HOST names, else /var/run/docker.sock, else a separate one, which is
 * started (and installed, on Debian as root) if it isn't running. That one outlives the command and is found again.
 * Throws, saying what to install, if it can't get one.
 */
export async function ensureDocker(log: Log): Promise<DockerTarget> {
  const quick = await runningDaemon()
  const known = knownClient()
  if (quick && known) return { cli: known, host: quick }
  return withLock(join(machineHome(), "docker.lock"), "Docker", log, async () => {
    let host = await runningDaemon()
    let cli = await findDockerClient()
    if ((!cli || !(host || existsSync("/usr/sbin/dockerd"))) && canInstall()) {
      await installDebian(["docker.io", "iptables", "iproute2"], log)
      cli = await findDockerClient()
      host = await runningDaemon() // the package may have started one
    }
    if (!cli) {
      throw new Error(
        "No Docker client that can build with BuildKit was found. Install Docker with its buildx plugin, then run this again.",
      )
    }
    if (!host && !(isRoot() && existsSync("/usr/sbin/dockerd"))) {
      throw new Error(
        "No Docker daemon answers. Start Docker (or set DOCKER_HOST to one that runs), then run this again. " +
          "As root on Debian, this command installs and starts one itself.",
      )
    }
    host ??= await startDaemon(log)
    writeFileSync(clientFile(), cli)
    return { cli, host }
  })
}

/** The environment for running the client against the target. */
export function dockerEnv(docker: DockerTarget): NodeJS.ProcessEnv {
  return { ...process.env, DOCKER_HOST: docker.host, DOCKER_BUILDKIT: "1" }
}

/** True when the daemon has the image under this reference. */
export async function hasImage(docker: DockerTarget, reference: string): Promise<boolean> {
  const answer = request({ ...daemonAddress(docker.host), path: `/images/${reference}/json` }).end()
  const [response] = (await once(answer, "response")) as [IncomingMessage]
  response.destroy()
  return response.statusCode === 200
}

async function runningDaemon(): Promise<string | undefined> {
  const named = process.env.DOCKER_HOST
  if (named) {
    if (named.startsWith("ssh:") || (await daemonAnswers(named))) return named
    throw new Error(
      `No Docker daemon answers at ${named}, which is set in DOCKER_HOST. Start it, or unset DOCKER_HOST.`,
    )
  }
  for (const socket of ["/var/run/docker.sock", ownSocket()]) {
    if (existsSync(socket) && (await daemonAnswers(`unix://${socket}`))) return `unix://${socket}`
  }
  return undefined
}

function knownClient(): string | undefined {
  try {
    const client = readFileSync(clientFile(), "utf8")
    return existsSync(client) ? client : undefined
  } catch {
    return undefined
  }
}

function clientFile(): string {
  return join(machineHome(), "docker-client")
}

/**
 * Finds a Docker client that can build with BuildKit. A client of version 23 or later needs the buildx plugin for
 * that; older ones have it built in. A bare `docker` on PATH may be neither, so each candidate is asked.
 * Returns the client's path, or undefined when there is none.
 */
async function findDockerClient(): Promise<string | undefined> {
  const directories = [...(process.env.PATH ?? "").split(":").filter(Boolean), "/usr/bin", "/usr/local/bin"]
  for (const directory of new Set(directories)) {
    const client = join(directory, "docker")
    if (isExecutable(client) && (await canBuild(client))) return client
  }
  return undefined
}

async function canBuild(client: string): Promise<boolean> {
  const version = await run(client, ["--version"], { timeout: 10_000 })
  const major = Number(/version (\d+)\./.exec(version.stdout)?.[1])
  if (major >= 18 && major < 23) return true
  return (await run(client, ["buildx", "version"], { timeout: 10_000 })).code === 0
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
