import { rmSync } from "node:fs"
import { connect } from "node:net"
import { fileURLToPath } from "node:url"
import { endServing, ROOT, serving, socketsDir } from "./sockets.mjs"

// The entry of ./offline/dagger. A call goes to a process that has everything loaded already, as the real command line's does to its
// engine; it is started if there is none (serve.ts). All else, and a call that needs this terminal, runs right here. Plain JavaScript:
// this process is there within a tenth of a second.

/** How many processes are kept: two calls at once are served by two. A third one at that time runs by itself. */
const MOST = 2

/** Whether a process that is kept can run the command. */
function isServed(words) {
  if (!words.includes("call") || words.includes("terminal") || process.env.ECS_RELEASE_ALONE) return false
  return !words.some(word => /^--engine(=|$)/.test(word))
}

/**
 * Has one of the processes run the command, and passes on what it prints, signals and its exit code.
 *
 * @returns {Promise<boolean>} false if it does not: it is busy, gone, or older than the sources
 */
function askedOf(socketPath, request) {
  return new Promise(resolve => {
    const socket = connect(socketPath)
    const cancel = signal => socket.write(signal)
    const [interrupt, terminate] = ["SIGINT", "SIGTERM"].map(signal => () => cancel(`${signal}\n`))
    let taken = false
    let rest = Buffer.alloc(0)
    socket.once("connect", () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on("data", data => {
      if (!taken) process.on("SIGINT", interrupt).on("SIGTERM", terminate)
      taken = true
      rest = Buffer.concat([rest, data])
      // A frame: where it goes, its length, its text; or the exit code.
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const size = rest.readUInt32BE(1)
        const text = rest.subarray(5, 5 + size)
        if (rest[0] === 1) process.stdout.write(text)
        if (rest[0] === 2) process.stderr.write(text)
        if (rest[0] === 0) process.exitCode = Number(text)
        rest = rest.subarray(5 + size)
      }
    })
    socket.on("error", () => {
      if (!taken) rmSync(socketPath, { force: true })
    })
    socket.once("close", () => {
      process.off("SIGINT", interrupt).off("SIGTERM", terminate)
      resolve(taken)
    })
  })
}

async function served(words, dir) {
  const request = {
    words,
    cwd: process.cwd(),
    env: process.env,
    isTerminal: { stdout: process.stdout.isTTY === true, stderr: process.stderr.isTTY === true },
  }
  for (const path of serving(dir)) if (await askedOf(path, request)) return true
  if (serving(dir).length >= MOST) return false
  const started = await start(dir)
  return started !== undefined && askedOf(started, request)
}

/** Starts a process that outlives this one; its socket is there once it listens. */
async function start(dir) {
  const { spawn } = await import("node:child_process")
  const entry = fileURLToPath(import.meta.url)
  const child = spawn(process.execPath, ["--no-deprecation", entry], {
    ...{ cwd: ROOT, detached: true, stdio: ["ignore", "ignore", "ignore", "ipc"] },
    env: { ...process.env, ECS_RELEASE_SERVE: dir },
  })
  child.unref()
  return new Promise(resolve => {
    child.once("message", path => {
      child.disconnect()
      resolve(path)
    })
    child.once("error", () => resolve(undefined)).once("exit", () => resolve(undefined))
  })
}

/** The command line itself, in this process. */
async function load() {
  const { register } = await import("tsx/esm/api")
  register()
}

async function run() {
  const words = process.argv.slice(2)
  const dir = process.env.ECS_RELEASE_SERVE
  if (dir !== undefined) {
    delete process.env.ECS_RELEASE_SERVE
    await load()
    return (await import("./serve.ts")).serve(dir)
  }
  if (words.includes("down") || words.includes("reset")) await endServing()
  // The reader of the output may stop early (`| head`).
  process.stdout.on("error", () => process.exit())
  const sockets = isServed(words) ? socketsDir() : undefined
  if (sockets === undefined || !(await served(words, sockets))) {
    await load()
    process.exitCode = await (await import("./main.ts")).main(words)
  }
  // What is still open (a session's sockets) must not keep the command from exiting; but what was printed must be out.
  process.stdout.write("", () => process.stderr.write("", () => process.exit()))
}

if (Number.parseInt(process.versions.node, 10) < 20) {
  process.stderr.write(
    `Error: Node.js ${process.versions.node} is too old. Install version 20 or later (https://nodejs.org), then run this again.\n`,
  )
  process.exit(1)
}
await run()
