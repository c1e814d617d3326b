import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import type { Log } from "./home.js"
import { beginning, isRunning, type Owned } from "./process.js"

/**
 * Runs `work` while holding the lock file `path`, so that of several commands at once (two checkouts, two terminals)
 * only one does it. A lock whose holder is gone is taken over. Says once through `log` what it waits for.
 */
export async function withLock<T>(path: string, what: string, log: Log, work: () => Promise<T>): Promise<T> {
  let said = false
  while (!take(path)) {
    if (!said) log(`waiting for another command that is busy with ${what}`)
    said = true
    await sleep(100)
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

/** Takes the lock or not. The file appears whole (by a link), so a reader never sees half a record. */
function take(path: string): boolean {
  const mine = `${path}.${process.pid}`
  try {
    writeFileSync(mine, JSON.stringify({ pid: process.pid, began: beginning(process.pid) ?? "" }))
    linkSync(mine, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  } finally {
    rmSync(mine, { force: true })
  }
  if (isRunning(holder(path))) return false
  discard(path)
  return take(path)
}

/** Removes a dead holder's lock, but puts back one that was taken again in the meantime. */
function discard(path: string): void {
  const aside = `${path}.${process.pid}.old`
  try {
    renameSync(path, aside)
    if (isRunning(holder(aside))) linkSync(aside, path)
  } catch {
    // Another command was quicker: there is nothing left to remove, or the lock is held again.
  }
  rmSync(aside, { force: true })
}

function holder(path: string): Owned | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Owned
  } catch {
    return undefined
  }
}
