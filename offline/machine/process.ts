import { execFile, execFileSync, spawn } from "node:child_process"
import { randomInt } from "node:crypto"
import { once } from "node:events"
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs"
import { type AddressInfo, createServer, type Server } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

/** A process that was started here and outlives the command: its ID and its start time, so that a reused ID is never mistaken for it. */
export interface Owned {
  pid: number
  began: string
}

/** What a finished command printed. */
export interface Finished {
  code: number
  stdout: string
  stderr: string
}

/**
 * Runs a command to its end and never throws for its exit code.
 * `timeout` is in milliseconds; a command killed by it has the code 124.
 */
export function run(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeout?: number; input?: string } = {},
): Promise<Finished> {
  return new Promise(resolve => {
    const child = execFile(
      command,
      args,
      { cwd: options.cwd, env: options.env, timeout: options.timeout, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = !error ? 0 : typeof error.code === "number" ? error.code : error.killed ? 124 : 127
        resolve({ code, stdout, stderr: stderr || (code === 127 && error ? error.message : "") })
      },
    )
    if (options.input !== undefined) child.stdin?.end(options.input)
  })
}

/**
 * Starts a process in its own group that outlives this one; its output goes to `logFile`, which is appended to. It doesn't get TMPDIR:
 * that folder may go with whoever made it for this process. Throws when the command can't be started at all.
 */
export function startDetached(
  command: string,
  args: string[],
  options: { logFile: string; env?: NodeJS.ProcessEnv; cwd?: string },
): Promise<Owned> {
  const log = openSync(options.logFile, "a", 0o600)
  return new Promise<Owned>((resolve, reject) => {
    const child = spawn(command, args, {
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...(options.env ?? process.env), TMPDIR: undefined },
      cwd: options.cwd ?? "/",
    })
    child.once("error", reject)
    child.once("spawn", () => {
      child.unref()
      const pid = child.pid as number
      resolve({ pid, began: beginning(pid) ?? "" })
    })
  }).finally(() => closeSync(log))
}

/** True while the recorded process runs; false once it ended, even when its id was given to another one. */
export function isRunning(owned: Owned | undefined): owned is Owned {
  return owned !== undefined && owned.began !== "" && beginning(owned.pid) === owned.began
}

/**
 * Asks the recorded process to end, and kills it after `graceSeconds`. Does nothing when it isn't running.
 * Returns true when it ended on its own within that time.
 */
export async function stop(owned: Owned | undefined, graceSeconds: number): Promise<boolean> {
  if (!isRunning(owned)) return true
  process.kill(owned.pid, "SIGTERM")
  const deadline = Date.now() + graceSeconds * 1000
  while (Date.now() < deadline) {
    if (!isRunning(owned)) return true
    await sleep(25)
  }
  if (isRunning(owned)) process.kill(owned.pid, "SIGKILL")
  while (isRunning(owned)) await sleep(10)
  return false
}

/**
 * The process, with its environment, that was started with a variable of this value: for one whose record is lost. Undefined if
 * there is none, or if the system doesn't show it (no /proc).
 */
export function startedWith(name: string, value: string) {
  const pids = existsSync("/proc/self/environ") ? readdirSync("/proc").filter(pid => /^\d+$/.test(pid)) : []
  for (const pid of pids.map(Number)) {
    const env = environmentOf(pid)
    if (env[name] === value) return { process: { pid, began: beginning(pid) ?? "" }, env }
  }
  return undefined
}

function environmentOf(pid: number): Record<string, string | undefined> {
  try {
    const pairs = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")
    return Object.fromEntries(pairs.map(pair => [pair.split("=", 1)[0], pair.slice(pair.indexOf("=") + 1)]))
  } catch {
    return {} // ended in the meantime, or another user's
  }
}

/** When a process began, as a string that no other process ever has; undefined when there is none or it is a zombie. */
export function beginning(pid: number): string | undefined {
  if (existsSync("/proc/self/stat")) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
      if (fields[0] === "Z" || fields[0] === "X") return undefined
      return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}:${fields[19]}`
    } catch {
      return undefined
    }
  }
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() || undefined
  } catch {
    return undefined
  }
}

/**
 * Free TCP ports on loopback: the wanted ones that are free, others for those that are taken. They are below those that systems give
 * to outgoing connections (Linux from 32768, IANA from 49152): one of these could be taken before its server has started.
 */
export async function freePorts(wanted: (number | undefined)[]): Promise<number[]> {
  const servers: Server[] = []
  // Each is held until all are found: no two may be the same.
  for (const port of wanted) servers.push(await listen(port ?? anyPort()).catch(listenAnywhere))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(server => new Promise(done => server.close(done))))
  return ports
}

const anyPort = () => randomInt(20_000, 32_768)

async function listenAnywhere(): Promise<Server> {
  for (let tries = 0; tries < 100; tries++) {
    const server = await listen(anyPort()).catch(() => undefined)
    if (server) return server
  }
  return listen(0)
}

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, "127.0.0.1")
  await once(server, "listening")
  return server
}
