import { createHash } from "node:crypto"
import { lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

// Where the processes that serve a checkout's calls (serve.ts) are found.

/** The checkout's folder. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** The longest path that a socket can have everywhere. */
const LONGEST = 100

/** The folder of their sockets, which only the user can access; undefined if there cannot be one. */
export function socketsDir() {
  const user = process.getuid?.()
  if (user === undefined) return undefined
  const own = join(tmpdir(), `ecs-release-${user}`)
  const dir = join(own, createHash("sha256").update(ROOT).digest("hex").slice(0, 8))
  if (join(dir, "1234567890.sock").length > LONGEST) return undefined
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    // Calls pass their environment on: nobody else may have made the folder.
    const stats = [own, dir].map(path => lstatSync(path))
    const isOwn = stats.every(it => it.isDirectory() && it.uid === user && (it.mode & 0o77) === 0)
    return isOwn ? dir : undefined
  } catch {
    return undefined
  }
}

/** @param {string} dir */
export function serving(dir) {
  return readdirSync(dir).flatMap(name => (name.endsWith(".sock") ? join(dir, name) : []))
}

/** Ends those that are idle. */
export async function endServing(dir = socketsDir()) {
  const end = (/** @type {string} */ path) =>
    new Promise(done => {
      const socket = connect(path)
      socket.once("connect", () => socket.end("{}\n"))
      socket.once("error", error => {
        if ("code" in error && error.code === "ECONNREFUSED") rmSync(path, { force: true })
      })
      socket.once("close", done)
    })
  await Promise.all(dir ? serving(dir).map(end) : [])
}
