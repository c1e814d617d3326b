import { spawn } from "node:child_process"
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { copyOf, DAGGER, dagger, daggerProcess, until } from "./cli.help.js"

let module: ReturnType<typeof copyOf>

/** Starts a call that waits inside the module, and gives the processes' ids once it does. */
async function startWaiting(marker: string) {
  const cli = spawn(DAGGER, ["call", "wait", `--marker=${marker}`], {
    cwd: module.dir,
    stdio: ["ignore", "pipe", "pipe"],
  })
  let stderr = ""
  cli.stderr.on("data", part => {
    stderr += part
  })
  const ended = new Promise<number | null>(resolve => cli.once("close", resolve))
  const [, pid] = await until(() => /^waiting (\d+)$/m.exec(stderr) ?? undefined, 120)
  return { cli, ended, pid: Number(pid), stderr: () => stderr }
}

function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

describe("the command", () => {
  beforeAll(() => {
    module = copyOf("hello")
  })
  afterAll(() => module.remove())

  it("says Canceled. on Ctrl-C and ends the function at once, before any handler in it runs", async () => {
    const marker = join(module.dir, "interrupted")
    const { cli, ended, pid, stderr } = await startWaiting(marker)
    cli.kill("SIGINT")
    expect(await ended).toBe(1)
    expect(stderr()).toMatch(/Canceled\.\n$/)
    await until(() => !runs(pid))
    expect(existsSync(marker)).toBe(false)
  })

  it("takes the function with it when it is killed", async () => {
    const marker = join(module.dir, "killed")
    const { cli, ended, pid } = await startWaiting(marker)
    cli.kill("SIGKILL")
    await ended
    await until(() => !runs(pid))
    expect(existsSync(marker)).toBe(false)
  })

  it("runs a command in a session and passes its exit code on", async () => {
    const ask = `curl -fs -u "$DAGGER_SESSION_TOKEN:" "http://127.0.0.1:$DAGGER_SESSION_PORT/query" -d '{"query":"{version}"}'; exit 5`
    const { stdout, exitCode } = await daggerProcess(module.dir, ["run", "sh", "-c", ask])
    expect(JSON.parse(stdout)).toEqual({ data: { version: expect.stringMatching(/^v0\./) } })
    expect(exitCode).toBe(5)
    const missing = await daggerProcess(module.dir, ["run", "no-such-command"])
    expect(missing).toMatchObject({ exitCode: 1 })
    expect(missing.stderr).toBe('Error: exec: "no-such-command": executable file not found in $PATH\n')
    expect(await daggerProcess(module.dir, ["run"])).toMatchObject({ exitCode: 1 })
  })

  it("is one engine's or the other's, to a module and in a .env", async () => {
    const old = { ECS_RELEASE_ENGINE: "v0.20.0" }
    expect((await dagger("/", ["version"], old)).stdout).toBe("dagger v0.20.0 (offline: no engine)\n")
    const ask = `curl -fs -u "$DAGGER_SESSION_TOKEN:" "http://127.0.0.1:$DAGGER_SESSION_PORT/query" -d '{"query":"{version}"}'`
    const { stdout } = await daggerProcess("/", ["run", "sh", "-c", ask], old)
    expect(JSON.parse(stdout)).toEqual({ data: { version: "v0.20.0" } })
    const before = readFileSync(join(module.dir, ".env"), "utf8")
    writeFileSync(join(module.dir, ".env"), `${before}list_items=x,y\n`)
    try {
      expect((await dagger(module.dir, ["-s", "call", "list"])).stdout).toBe("x\ny\n")
      const refused = await dagger(module.dir, ["-s", "call", "--help"], old)
      expect(refused).toMatchObject({ stdout: "", exitCode: 1 })
      expect(refused.errors).toContain("user defaults hello.list(items=...): not valid JSON: 'x,y'")
    } finally {
      writeFileSync(join(module.dir, ".env"), before)
    }
  })

  it("lists functions, including those of a function's result", async () => {
    const { stdout } = await dagger(module.dir, ["functions"])
    expect(stdout).toContain("Name            Description\n")
    expect(stdout).toContain("\nbad-exec        Runs a command that exits 3.\n")
    expect((await dagger(module.dir, ["functions", "release"])).stdout).toBe(
      "Name      Description\nsummary   Version and region in one line.\nversion   The released version.\n",
    )
    const wrong = await dagger(module.dir, ["-s", "functions", "nope"])
    expect(wrong.errors).toBe('Error: no function "nope" in type "Hello"\n')
    expect(wrong.exitCode).toBe(1)
  })

  it("works through a symbolic link, from any folder, with -m", async () => {
    const link = join(module.dir, "linked")
    symlinkSync(DAGGER, link)
    const { execa } = await import("execa")
    const { stdout } = await execa(link, ["-s", "-m", module.dir, "call", "answer"], { cwd: "/" })
    expect(stdout).toBe("42")
  })

  it("prints help without a command, and says what exists for a wrong name", async () => {
    expect((await dagger("/", [])).stdout).toContain("SANDBOX COMMANDS")
    expect((await dagger("/", ["up", "--help"])).stdout).toContain("dagger up [options]")
    const mistyped = await dagger("/", ["cal"])
    expect(mistyped.stderr).toBe(
      'Error: unknown command or file "cal" for "dagger"\nRun \'dagger --help\' for usage.\n',
    )
    const noLog = await dagger("/", ["logs", "nope"])
    expect(noLog.stderr).toMatch(/^Error: no log named "nope"; available: /)
    const nowhere = await daggerProcess("/", ["functions"])
    expect(nowhere.stderr).toMatch(/^Error: no dagger.json found in \/ or above it/)
    expect(nowhere.exitCode).toBe(1)
  })
})
