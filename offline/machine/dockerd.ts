import { createHash, randomBytes } from "node:crypto"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { request } from "node:http"
import { networkInterfaces } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { type Log, machineHome, machineRunDir } from "./home.js"
import { writeKept } from "./kept.js"
import { beginning, isRunning, type Owned, run, startDetached, stop } from "./process.js"

const SUBNETS = ["172.29", "172.30", "172.28", "10.213", "10.214", "192.168.213", "192.168.214"]

/** The socket of the daemon that we start if the machine has none. */
export function ownSocket(): string {
  return join(machineRunDir(), "docker.sock")
}

/** The log of our own daemon. */
export function daemonLog(): string {
  return join(machineHome(), "docker.log")
}

/**
 * Starts our own Docker daemon and waits until it answers: own socket, data, pid file, log and bridge, so that it
 * doesn't get in another daemon's way. Leftovers of one that was killed, or of before a reboot, are cleared first.
 * Returns its DOCKER_HOST value; throws with the end of its log when it doesn't come up.
 */
export async function startDaemon(log: Log): Promise<string> {
  const host = `unix://${ownSocket()}`
  log("starting a Docker daemon")
  await stopDaemon()
  const options = [
    ["--host", host],
    ["--data-root", join(machineHome(), "docker")],
    ["--exec-root", join(machineRunDir(), "docker")],
    ["--pidfile", join(machineRunDir(), "docker.pid")],
    ["--bridge", await ensureBridge()],
  ]
  // The daemon starts itself again for each layer that it unpacks: most of that time would be spent on garbage collection.
  const env = { ...process.env, GOGC: process.env.GOGC ?? "400" }
  const daemon = await startDetached("/usr/sbin/dockerd", options.flat(), { logFile: daemonLog(), env })
  writeKept(recordFile(), daemon)
  const deadline = Date.now() + 60_000
  while (isRunning(daemon) && Date.now() < deadline) {
    if (existsSync(ownSocket()) && (await daemonAnswers(host))) return host
    await sleep(50)
  }
  const end = readFileSync(daemonLog(), "utf8").trim().split("\n").slice(-8).join("\n")
  throw new Error(
    `The Docker daemon did not come up. Its log (${daemonLog()}) ends with:\n${end}\n` +
      "If this machine can't run one (a container without privileges), set DOCKER_HOST to a daemon elsewhere.",
  )
}

/** Where a daemon's API is, for node:http, by a DOCKER_HOST value: `unix:///path` or `tcp://host:port`. Throws for any other. */
export function daemonAddress(host: string): { socketPath: string } | { host: string; port: string } {
  const url = new URL(host)
  if (url.protocol === "unix:") return { socketPath: url.pathname }
  if (url.protocol === "tcp:") return { host: url.hostname, port: url.port || "2375" }
  throw new Error(`DOCKER_HOST is ${host}: only unix:// and tcp:// are supported here. Use one of these.`)
}

/** True when a Docker daemon answers at a DOCKER_HOST value. */
export async function daemonAnswers(host: string): Promise<boolean> {
  const where = daemonAddress(host)
  return new Promise(resolve => {
    const ping = request({ ...where, path: "/_ping", timeout: 15_000 }, response => {
      response.resume()
      response.once("end", () => resolve(response.statusCode === 200))
    })
    ping.once("timeout", () => ping.destroy())
    ping.once("error", () => resolve(false))
    ping.end()
  })
}

/** Ends our own daemon, if it runs, and with it its containers. Its images stay. */
export async function stopDaemon(): Promise<void> {
  await stop(recorded(), 30)
  // A killed daemon takes its containerd with it, which takes a moment, but the next one believes its pid file as long as nobody
  // has reaped the process.
  const containerd = join(machineRunDir(), "docker/containerd/containerd.pid")
  const isAlive = () => existsSync(containerd) && beginning(Number(readFileSync(containerd, "utf8")))
  for (const deadline = Date.now() + 5000; isAlive() && Date.now() < deadline; ) await sleep(20)
  const alive = isAlive()
  const leftovers = [
    ownSocket(),
    join(machineRunDir(), "docker.pid"),
    recordFile(),
    ...(alive ? [] : [containerd]),
  ]
  for (const leftover of leftovers) rmSync(leftover, { force: true })
  if (existsSync(`/sys/class/net/${bridgeName()}`)) await run("ip", ["link", "delete", bridgeName()])
}

/** Makes the daemon's own bridge, on an address range that nothing here uses; keeps an existing one. */
async function ensureBridge(): Promise<string> {
  const bridge = bridgeName()
  if (existsSync(`/sys/class/net/${bridge}`)) return bridge
  const taken = Object.values(networkInterfaces()).flatMap(addresses => addresses?.map(a => a.address) ?? [])
  const free = SUBNETS.find(subnet => !taken.some(address => address.startsWith(`${subnet}.`))) ?? "172.29"
  const address = free.split(".").length === 2 ? `${free}.0.1/16` : `${free}.1/24`
  for (const step of [
    ["link", "add", bridge, "address", hardwareAddress(), "type", "bridge"],
    ["address", "add", address, "dev", bridge],
    ["link", "set", bridge, "up"],
  ]) {
    const done = await run("ip", step)
    if (done.code !== 0) throw new Error(`A network bridge for Docker can't be made: ${done.stderr.trim()}`)
  }
  return bridge
}

/**
 * An address for the bridge: one that isn't set follows the containers that come and go, and packets of those that know the old one
 * are lost. The second bit of the first byte marks it as ours (IEEE 802, locally administered).
 */
function hardwareAddress(): string {
  return [0x02, ...randomBytes(5)].map(byte => byte.toString(16).padStart(2, "0")).join(":")
}

/** The bridge. An interface's name has at most 15 characters; the daemon of another ECS_RELEASE_HOME needs another bridge. */
export function bridgeName(): string {
  return `ecsr-${createHash("sha256").update(machineRunDir()).digest("hex").slice(0, 8)}`
}

function recordFile(): string {
  return join(machineRunDir(), "docker.json")
}

function recorded(): Owned | undefined {
  try {
    return JSON.parse(readFileSync(recordFile(), "utf8")) as Owned
  } catch {
    return undefined
  }
}
