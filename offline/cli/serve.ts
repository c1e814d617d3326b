import { readdirSync, rmSync, statSync } from "node:fs"
import { createServer, type Socket } from "node:net"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { ROOT } from "./sockets.mjs"

/** Minutes without a call after which the process ends. */
const IDLE = 15

const exit = process.exit.bind(process)

/** What dagger.mjs passes on of a command. */
interface Request {
  /** If there are none, it is asked to end. */
  words?: string[]
  cwd: string
  env: Record<string, string>
  isTerminal: { stdout: boolean; stderr: boolean }
}

/**
 * Runs one command after another for dagger.mjs, at a socket in `dir`: everything is loaded only once, and the module's process is kept.
 * It ends by itself if it is not used, or if its own sources have changed.
 */
export function serve(dir: string): void {
  const path = join(dir, `${process.pid}.sock`)
  const end = () => exit(0)
  const sources = state()
  let busy = false
  let idle = setTimeout(end, IDLE * 60_000)
  const server = createServer(async socket => {
    if (busy) return socket.destroy()
    if (state() !== sources) return end()
    busy = true
    clearTimeout(idle)
    await answer(socket)
    busy = false
    idle = setTimeout(end, IDLE * 60_000)
  })
  process.once("exit", () => rmSync(path, { force: true }))
  server.listen(path, () => {
    process.send?.(path)
    // What a call needs, before it comes.
    import("./execute.js")
    import("./session.js")
    import("./sandbox.js")
  })
}

/** Differs once the command line's own sources have changed. */
function state(): string {
  const files = readdirSync(join(ROOT, "offline"), { recursive: true, withFileTypes: true })
  const own = files.filter(file => file.isFile() && /\.(ts|mjs|graphql)$/.test(file.name))
  const paths = own.map(file => join(file.parentPath ?? file.path, file.name))
  return [...paths, join(ROOT, "package-lock.json")].map(path => statSync(path).mtimeMs).join()
}

/** Runs a command in this process as if it were one of its own: its folder, its environment, its output, its signals. */
async function answer(socket: Socket): Promise<void> {
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  const { words, cwd, env, isTerminal } = JSON.parse((await lines.next()).value) as Request
  if (words === undefined) return exit(0)
  const send = (said: object, done?: () => void) => socket.write(`${JSON.stringify(said)}\n`, done)
  send({})
  let over = false
  const finish = (exitCode: number) =>
    new Promise<void>(resolve => {
      over = true
      send({ exitCode }, () => socket.end(resolve))
    })
  // The caller was killed: stop its work at once, too.
  socket.on("error", () => {}).once("close", () => over || process.kill(process.pid, "SIGKILL"))
  const signals = async () => {
    for (;;) {
      const { value, done } = await lines.next()
      if (done) return
      if (!process.emit(value as NodeJS.Signals)) process.exit(130)
    }
  }
  signals().catch(() => {})
  const failed = (error: unknown) => {
    process.stderr.write(`${(error as Error)?.stack ?? error}\n`)
    process.exit(1)
  }
  process.on("uncaughtException", failed).on("unhandledRejection", failed)
  process.exit = ((code = 0) => {
    finish(Number(code)).then(() => exit(Number(code)))
  }) as typeof process.exit
  for (const stream of ["stdout", "stderr"] as const) {
    process[stream].isTTY = isTerminal[stream]
    const write = (text: string | Uint8Array, encoding?: unknown, done?: unknown) => {
      const base64 = Buffer.from(text as string).toString("base64")
      send({ [stream]: base64 }, [encoding, done].find(it => typeof it === "function") as () => void)
      return true
    }
    process[stream].write = write as typeof process.stdout.write
  }
  setEnvironment(env)
  process.chdir(cwd)
  const { main } = await import("./main.js")
  await finish(await main(words))
  process.off("uncaughtException", failed).off("unhandledRejection", failed)
  process.exit = exit
  process.chdir(ROOT)
  // No call's secrets stay.
  setEnvironment({})
}

function setEnvironment(env: Record<string, string>): void {
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, env)
}
