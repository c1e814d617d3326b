/**
 * Times the start of the module's process, as an engine starts it, beside that of a module with one function: from the start of Node.js
 * until the SDK has loaded the sources and read their types, and asks what to call. Without an engine: a server here says what it needs.
 */

import { spawn } from "node:child_process"
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { createServer } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { withoutContext } from "../offline/module/sdk.js"
import { median, type Row, ratios } from "./measure.js"

const root = join(import.meta.dirname, "..")
const hello = `import { func, object } from "@dagger.io/dagger"
@object()
export class Hello {
  @func()
  hello(): string {
    return "hello"
  }
}
`

/** @returns the lines of the table */
export async function benchStart(runs = 5): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "bench-start-"))
  try {
    const modules = {
      hello: prepare(join(folder, "hello"), to => writeFileSync(join(to, "index.ts"), hello)),
      "ecs-release": prepare(join(folder, "ours"), to =>
        cpSync(join(root, "ci/src"), to, { recursive: true }),
      ),
    }
    const taken = new Map(Object.keys(modules).map(name => [name, [] as Start[]]))
    for (let turn = 0; turn < runs; turn++) {
      for (const [name, module] of Object.entries(modules)) taken.get(name)?.push(await start(module))
    }
    const rows = [...taken].map(
      ([name, starts]): Row => ({
        name,
        milliseconds: median(starts.map(({ milliseconds }) => milliseconds)),
        answer: `${Math.round(median(starts.map(({ megabytes }) => megabytes)))} MB`,
      }),
    )
    return [`start of the module's process (median of ${runs}), and its memory`, ...ratios(rows, "hello")]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A module's folder as the SDK wants it. */
function prepare(folder: string, write: (src: string) => void): string {
  mkdirSync(join(folder, "src"), { recursive: true })
  mkdirSync(join(folder, "sdk"))
  write(join(folder, "src"))
  writeFileSync(join(folder, "package.json"), '{"type": "module"}')
  cpSync(join(root, "ci/tsconfig.json"), join(folder, "tsconfig.json"))
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  const sdk = dirname(createRequire(import.meta.url).resolve("@dagger.io/dagger"))
  const client = readFileSync(join(sdk, "api/client.gen.d.ts"), "utf8")
  writeFileSync(join(folder, "sdk/client.gen.ts"), withoutContext(client))
  const files = readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" }).filter(it =>
    it.endsWith(".ts"),
  )
  const paths = [...files.map(it => join(folder, "src", it)), join(folder, "sdk/client.gen.ts")]
  const entry = `import { entrypoint } from "@dagger.io/dagger"\nawait entrypoint(${JSON.stringify(paths)})\n`
  writeFileSync(join(folder, "entry.ts"), entry)
  return folder
}

type Start = { milliseconds: number; megabytes: number }

/** Starts the process, and ends it once it asks what to call. */
async function start(folder: string): Promise<Start> {
  const began = performance.now()
  let found: (start: Start) => void = () => {}
  const asked = new Promise<Start>(resolve => (found = resolve))
  const server = createServer(async (request, response) => {
    let body = ""
    for await (const part of request) body += part
    if (body.includes("parentName")) {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8")
      const megabytes = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024
      return found({ milliseconds: performance.now() - began, megabytes })
    }
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify({ data: { currentModule: { name: "hello" } } }))
  })
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  // An engine's container is a fresh one: nothing is compiled yet.
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), "entry.ts"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      ...{ PATH: process.env.PATH, HOME: folder, TMPDIR: folder, TSX_DISABLE_CACHE: "1" },
      ...{ DAGGER_SESSION_PORT: String(port), DAGGER_SESSION_TOKEN: "token" },
    },
  })
  const failed = new Promise<never>((_, reject) =>
    child.once("exit", code => reject(new Error(`the module's process ended with ${code}`))),
  )
  failed.catch(() => {})
  try {
    return await Promise.race([asked, failed])
  } finally {
    child.kill("SIGKILL")
    server.close()
    server.closeAllConnections()
  }
}
