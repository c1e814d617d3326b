import { rmSync } from "node:fs"
import { connect } from "node:net"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { COMMANDS, SANDBOX } from "./command-names.mjs"
import { endServing, ROOT, serving, socketsDir } from "./sockets.mjs"

// The entry point of ./offline/dagger. A call goes to a process that already has everything loaded, as the real CLI's call goes to its
// engine; if there is no such process, one is started (serve.ts). Everything else, and calls that need this terminal, run right here.
// This is plain JavaScript, so that it starts within a tenth of a second.

/** How many processes are kept: two can serve two calls at once. A third call at the same time runs in its own process. */
const MOST = 2

const NAMES = ["help", ...Object.keys(COMMANDS), ...Object.keys(SANDBOX)]

/** The command among the words. What comes before it are flags of all commands. */
function commandOf(words) {
  return words.find(word => NAMES.includes(word))
}

/** Whether a background process, which has no terminal, can run it. */
function isServed(words) {
  if (commandOf(words) !== "call" || words.includes("terminal") || process.env.ECS_RELEASE_ALONE) return false
  return !words.some(word => /^--engine(=|$)/.test(word))
}

/**
 * Has one of the processes run the command, and passes on what it prints, signals and its exit code.
 *
 * @returns {Promise<boolean>} false if none accepts it: they are busy, gone, or older than the sources
 */
function askedOf(socketPath, request) {
  return new Promise(resolve => {
    const socket = connect(socketPath)
    // One that comes before the request must not overtake it.
    let send = signal => socket.once("connect", () => socket.write(`${signal}\n`))
    const [interrupt, terminate] = ["SIGINT", "SIGTERM"].map(signal => () => send(signal))
    process.on("SIGINT", interrupt).on("SIGTERM", terminate)
    let isTaken = false
    let isOver = false
    socket.once("connect", () => {
      socket.write(`${JSON.stringify(request)}\n`)
      send = signal => socket.write(`${signal}\n`)
    })
    // Lines of JSON: first that it accepts the command, then the command's output (in Base64), and at the end its exit code.
    const lines = createInterface({ input: socket })
    lines.on("line", line => {
      const { stdout, stderr, exitCode } = JSON.parse(line)
      isTaken = true
      if (stdout !== undefined) process.stdout.write(Buffer.from(stdout, "base64"))
      if (stderr !== undefined) process.stderr.write(Buffer.from(stderr, "base64"))
      if (exitCode === undefined) return
      process.exitCode = exitCode
      isOver = true
    })
    lines.on("error", error => {
      if (error.code === "ECONNREFUSED") rmSync(socketPath, { force: true })
    })
    socket.once("close", () => {
      process.off("SIGINT", interrupt).off("SIGTERM", terminate)
      if (isTaken && !isOver) {
        process.stderr.write("Error: the process that served the call is gone. Run the same command again.\n")
        process.exitCode = 1
      }
      resolve(isTaken)
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
    // Each call brings its own environment; nothing of this one's stays.
    env: { ...pick(process.env, ["PATH", "HOME", "TMPDIR", "NODE_EXTRA_CA_CERTS"]), ECS_RELEASE_SERVE: dir },
  })
  return new Promise(resolve => {
    child.once("message", path => {
      child.disconnect()
      child.unref()
      resolve(path)
    })
    child.once("error", () => resolve(undefined)).once("exit", () => resolve(undefined))
  })
}

function pick(all, names) {
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)))
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
  if (["down", "reset"].includes(commandOf(words))) await endServing()
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
