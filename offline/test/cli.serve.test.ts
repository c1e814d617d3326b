import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { endServing, socketsDir } from "../cli/sockets.mjs"
import { copyOf, DAGGER, daggerProcess, until } from "./cli.help.js"

// A call is served by a process that stays. These tests have a folder of such processes to themselves: in the one of all other tests both
// may be busy.

let module: ReturnType<typeof copyOf>
const tmp = mkdtempSync(join(tmpdir(), "serve-"))
vi.stubEnv("TMPDIR", tmp)
const dir = socketsDir() as string

/** The processes that serve, by id. */
const serving = () => readdirSync(dir).flatMap(name => Number(/^(\d+)\.sock$/.exec(name)?.[1]) || [])

/** The process that runs what another one does: the parent of the module's process. */
function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])
}

/** Starts a call that waits inside the module. */
async function startWaiting() {
  const cli = spawn(DAGGER, ["call", "wait", `--marker=${join(module.dir, "marker")}`], {
    cwd: module.dir,
    stdio: ["ignore", "pipe", "pipe"],
  })
  let stderr = ""
  cli.stderr.on("data", part => (stderr += part))
  const ended = new Promise<number | null>(resolve => cli.once("close", resolve))
  const [, pid] = await until(() => /^waiting (\d+)$/m.exec(stderr) ?? undefined, 120)
  return { cli, ended, server: parentOf(Number(pid)), stderr: () => stderr }
}

describe("a call", () => {
  beforeAll(() => {
    module = copyOf("hello")
  })
  afterAll(async () => {
    await endServing(dir)
    module.remove()
    rmSync(tmp, { recursive: true, force: true })
  })

  it("is served by a process that is there, and by another one if that is busy", async () => {
    await daggerProcess(module.dir, ["-s", "call", "greet"])
    const one = await startWaiting()
    expect(serving()).toContain(one.server)
    const { stdout, exitCode } = await daggerProcess(module.dir, ["-s", "call", "greet"])
    expect({ stdout, exitCode }).toEqual({ stdout: "hello world from xx (low)", exitCode: 0 })
    one.cli.kill("SIGINT")
    expect(await one.ended).toBe(1)
    expect(one.stderr()).toMatch(/Canceled\.\n$/)
  })

  it("is an error if the process that serves it dies, and does not run twice", async () => {
    const one = await startWaiting()
    process.kill(one.server, "SIGKILL")
    expect(await one.ended).toBe(1)
    expect(one.stderr()).toMatch(/the process that served the call is gone/)
    expect(one.stderr().match(/^waiting /gm)).toHaveLength(1)
  })

  it("does not see what another call had in its environment", async () => {
    const secret = (env: Record<string, string>) =>
      daggerProcess(module.dir, ["-s", "call", "secret-length"], env)
    expect((await secret({ HELLO_TOKEN: "s3cr3t-of-one-call" })).stdout).toBe("18")
    expect((await secret({ HELLO_TOKEN: "four" })).stdout).toBe("4")
    expect((await secret({})).stdout).toContain("secret env var not found")
    const one = await startWaiting()
    const { stdout } = await daggerProcess(module.dir, [
      "run",
      "sh",
      "-c",
      `tr '\\0' '\\n' < /proc/${one.server}/environ`,
    ])
    expect(stdout).toContain("PATH=")
    expect(stdout).not.toContain("HELLO_TOKEN")
    one.cli.kill("SIGINT")
    await one.ended
  })

  it("is not what another command has among its words", async () => {
    const { stdout, exitCode } = await daggerProcess(module.dir, [
      "run",
      "sh",
      "-c",
      "echo said; exit 3",
      "call",
    ])
    expect({ stdout, exitCode }).toEqual({ stdout: "said\n", exitCode: 3 })
  })
})
