import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { withLock } from "../machine/lock.js"
import { freePorts, isRunning, run, startDetached, stop } from "../machine/process.js"

const dir = mkdtempSync(join(tmpdir(), "process-"))
const logFile = join(dir, "log")
afterAll(() => rmSync(dir, { recursive: true }))

describe("a process of ours", () => {
  it("is known by its id and its beginning, and ended by them", async () => {
    const owned = await startDetached("sh", ["-c", "echo begun; exec sleep 60"], { logFile })
    expect(isRunning(owned)).toBe(true)
    await expect.poll(() => readFileSync(logFile, "utf8")).toContain("begun")
    // Another process that got this id is not ours, and is left alone.
    const other = { ...owned, began: `${owned.began}0` }
    expect(isRunning(other)).toBe(false)
    await stop(other, 1)
    expect(isRunning(owned)).toBe(true)
    expect(await stop(owned, 5)).toBe(true)
    expect(isRunning(owned)).toBe(false)
    expect(await stop(owned, 5)).toBe(true)
  })

  it("is killed when it does not end on being asked", async () => {
    const script = `trap '' TERM; echo > ${join(dir, "ready")}; while :; do sleep 0.1; done`
    const owned = await startDetached("sh", ["-c", script], { logFile })
    while (!existsSync(join(dir, "ready"))) await new Promise(resolve => setTimeout(resolve, 10))
    expect(await stop(owned, 0.3)).toBe(false)
    expect(isRunning(owned)).toBe(false)
  })

  it("does not depend on a folder that may go with its caller", async () => {
    const seen = join(dir, "seen")
    const env = { ...process.env, TMPDIR: dir, KEPT: "yes" }
    await startDetached("sh", ["-c", `echo "<$TMPDIR> $KEPT" > ${seen}.new; mv ${seen}.new ${seen}`], {
      logFile,
      env,
    })
    await expect.poll(() => existsSync(seen)).toBe(true)
    expect(readFileSync(seen, "utf8")).toBe("<> yes\n")
  })

  it("that can't be started is an error", async () => {
    await expect(startDetached(join(dir, "nothing"), [], { logFile })).rejects.toThrow("ENOENT")
  })
})

describe("a command", () => {
  it("gives its output and code, and 124 when it takes too long, and 127 when it isn't there", async () => {
    expect(await run("sh", ["-c", "cat; echo no >&2; exit 3"], { input: "in" })).toEqual({
      code: 3,
      stdout: "in",
      stderr: "no\n",
    })
    expect((await run("sleep", ["5"], { timeout: 50 })).code).toBe(124)
    expect(await run(join(dir, "nothing"), [])).toMatchObject({
      code: 127,
      stderr: expect.stringContaining("ENOENT"),
    })
  })
})

describe("a lock", () => {
  const path = join(dir, "lock")

  it("lets one work at a time, says once that it waits, and is free after an error", async () => {
    const said: string[] = []
    let inside = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, ++inside)
      await new Promise(resolve => setTimeout(resolve, 250))
      inside--
    }
    const log = (line: string) => {
      said.push(line)
    }
    await Promise.all([1, 2, 3].map(() => withLock(path, "the test", log, work)))
    expect(most).toBe(1)
    expect(said).toEqual(Array(2).fill("waiting for another command that is busy with the test"))
    const failing = withLock(path, "the test", log, async () => {
      throw new Error("no")
    })
    await expect(failing).rejects.toThrow("no")
    expect(await withLock(path, "the test", log, async () => "yes")).toBe("yes")
  })

  it("of a holder that is gone, or that nobody can read, is taken over at once", async () => {
    const said: string[] = []
    for (const left of [JSON.stringify({ pid: process.pid, began: "before" }), "", "half a rec"]) {
      writeFileSync(path, left)
      expect(
        await withLock(
          path,
          "the test",
          line => said.push(line),
          async () => 1,
        ),
      ).toBe(1)
    }
    expect(said).toEqual([])
    expect(readdirSync(dir).filter(name => name.startsWith("lock"))).toEqual([])
  })
})

describe("ports", () => {
  it("are the wanted ones if those are free, and otherwise different ones", async () => {
    const [first = 0, second = 0] = await freePorts([undefined, undefined])
    expect(first).not.toBe(second)
    // No outgoing connection can take them meanwhile.
    expect(Math.max(first, second)).toBeLessThan(32_768)
    expect(await freePorts([first, second])).toEqual([first, second])
    const taken = createServer()
    await new Promise<void>(resolve => taken.listen(first, "127.0.0.1", resolve))
    const [other, same] = await freePorts([first, second])
    await new Promise(resolve => taken.close(resolve))
    expect(other).not.toBe(first)
    expect(same).toBe(second)
  })
})
