import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** Counts a project's builds. */
export function nextNumber(stateDir: string, project: string): number {
  const file = join(stateDir, `codebuild-${project}.number`)
  mkdirSync(stateDir, { recursive: true })
  const number = last(file) + 1
  writeFileSync(file, `${number}\n`)
  return number
}

function last(file: string): number {
  try {
    return Number.parseInt(readFileSync(file, "utf8"), 10) || 0
  } catch {
    return 0
  }
}
