import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { join } from "node:path"
import { canInstall, installDebian } from "./debian.js"
import { findDockerClient } from "./dockerClient.js"
import { ownSocket, startDaemon } from "./dockerd.js"
import { isRoot, type Log, machineHome } from "./home.js"
import { withLock } from "./lock.js"
import { run } from "./process.js"

/** A Docker daemon and the client to use with it. */
export interface DockerTarget {
  /** Path of a Docker client that can build with BuildKit. */
  cli: string
  /** The value of DOCKER_HOST. */
  host: string
}

/**
 * Finds or makes a Docker daemon: the one DOCKER_HOST names, else /var/run/docker.sock, else one of our own, which is
 * started (and installed, on Debian as root) when it doesn't run. Our own outlives the command and is found again.
 * Throws, saying what to install, where none can be had.
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
  const found = await run(docker.cli, ["image", "inspect", "--format", "{{.Id}}", reference], {
    env: dockerEnv(docker),
  })
  return found.code === 0
}

/** True when a Docker daemon answers at a DOCKER_HOST value (`unix:///path` or `tcp://host:port`). */
export function daemonAnswers(host: string): Promise<boolean> {
  const url = new URL(host.replace(/^tcp:/, "http:"))
  const where =
    url.protocol === "unix:" ? { socketPath: url.pathname } : { host: url.hostname, port: url.port || 2375 }
  return new Promise(resolve => {
    const ping = request({ ...where, path: "/_ping", timeout: 3000 }, response => {
      response.resume()
      response.once("end", () => resolve(response.statusCode === 200))
    })
    ping.once("timeout", () => ping.destroy())
    ping.once("error", () => resolve(false))
    ping.end()
  })
}

async function runningDaemon(): Promise<string | undefined> {
  const named = process.env.DOCKER_HOST
  if (named) {
    if (named.startsWith("ssh:") || (await daemonAnswers(named))) return named
    throw new Error(
      `No Docker daemon answers at ${named}, which DOCKER_HOST names. Start it or unset DOCKER_HOST.`,
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
