import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { SessionAddress } from "./endpoint.js"
import type { SdkFiles } from "./sdk.js"

/** A module as its process needs to know it. */
export interface ModuleFiles {
  /** As in dagger.json. */
  name: string
  /** The folder that holds `src`; the process works in it. */
  sourceDir: string
  /** Absolute, sorted. */
  files: string[]
}

/** How a process ended: by a code or a signal, and the last lines it wrote to standard error. */
export interface Ended {
  code: number | null
  lastLines: string[]
}

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url))
const TSX = import.meta.resolve("tsx")

/**
 * Starts a process for one run of the module's code, with a session of its own. What it prints goes line by line to `log`.
 * `ended` settles when it has ended and all its lines are out.
 */
export function startModule(
  module: ModuleFiles,
  sdk: SdkFiles,
  session: SessionAddress,
  log: (line: string) => void,
): { process: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(
    process.execPath,
    ["--no-deprecation", "--import", sdk.bundle, "--import", TSX, CHILD, sdk.client, ...module.files],
    {
      cwd: module.sourceDir,
      stdio: ["pipe", "pipe", "pipe"],
      // As in an engine's container, there is nothing of the user's environment, above all no credentials.
      env: {
        PATH: process.env.PATH,
        TMPDIR: process.env.TMPDIR,
        NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS,
        HOME: sdk.home,
        DAGGER_SESSION_PORT: `${session.port}`,
        DAGGER_SESSION_TOKEN: session.token,
        TSX_TSCONFIG_PATH: sdk.tsconfig,
      },
    },
  )
  child.stdin.on("error", () => {})
  const lastLines: string[] = []
  createInterface({ input: child.stdout }).on("line", log)
  createInterface({ input: child.stderr }).on("line", line => {
    log(line)
    lastLines.push(line)
    if (lastLines.length > 30) lastLines.shift()
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", code => resolve({ code, lastLines }))
  })
  ended.catch(() => {})
  return { process: child, ended }
}
