import { connect, createServer } from "node:net"
import { openTerminal, type RunningSession } from "../session/server.js"
import { nodeQuery } from "./arguments.js"
import { askFor } from "./client.js"
import { CliError } from "./errors.js"
import type { Log } from "./progress.js"

interface Forward {
  frontend: number
  backend: number
}

/**
 * Container.terminal: a shell (or `cmd`) in the container, on this terminal. What it changes is dropped; gives the same container.
 * Throws CliError where there is no terminal.
 */
export async function terminal(session: RunningSession, id: string, cmd?: string[]): Promise<string> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new CliError(
      "running shell without the TUI is not supported: it needs a terminal on standard input and output",
    )
  }
  await openTerminal(session.session, id, cmd && cmd.length > 0 ? cmd : undefined)
  return id
}

/**
 * Service.up: starts the service and makes its ports the same ones (or those of `forwards`, or with `random` free ones) on this
 * machine's loopback, until the command is canceled. Each is told through `log`.
 */
export async function up(
  session: RunningSession,
  id: string,
  options: { ports?: Forward[]; random?: boolean },
  log: Log,
): Promise<never> {
  await askFor(session, nodeQuery("Service", id, "start"))
  const known = (await askFor(session, nodeQuery("Service", id, "ports { port }"))) as { port: number }[]
  const all = known.map(({ port }) => ({ frontend: port, backend: port }))
  for (const { frontend, backend } of options.ports?.length ? options.ports : all) {
    const target = (await askFor(session, nodeQuery("Service", id, `endpoint(port: ${backend})`))) as string
    const port = await listen(options.random ? 0 : frontend, target)
    log(`tunnel: 127.0.0.1:${port} to the service's port ${backend}. Ctrl-C ends it.`)
  }
  return new Promise<never>(() => {})
}

function listen(port: number, target: string): Promise<number> {
  const [, host = "", at = ""] = /^(.*):(\d+)$/.exec(target) ?? []
  const server = createServer(socket => {
    const onward = connect(Number(at), host)
    socket.on("error", () => onward.destroy()).pipe(onward)
    onward.on("error", () => socket.destroy()).pipe(socket)
  })
  return new Promise((resolve, reject) => {
    server.once("error", error => reject(new CliError(`port ${port} can't be opened: ${error.message}`)))
    server.listen(port, "127.0.0.1", () => resolve((server.address() as { port: number }).port))
  })
}
