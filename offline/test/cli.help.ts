import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { execa } from "execa"

export const DAGGER = fileURLToPath(new URL("../dagger", import.meta.url))
const FIXTURES = fileURLToPath(new URL("fixtures", import.meta.url))

/** A copy of a fixture module in a git repository of its own. */
export function copyOf(fixture: string): { dir: string; remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), `${fixture}-`))
  cpSync(join(FIXTURES, fixture), dir, { recursive: true })
  execFileSync("git", ["init", "--quiet", "--initial-branch=main", dir])
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/** Runs ./offline/dagger without a terminal. */
export async function dagger(cwd: string, args: string[], env: Record<string, string> = {}) {
  const options = { cwd, env, reject: false, stripFinalNewline: false, stdin: "ignore" } as const
  const { stdout, stderr, exitCode } = await execa(DAGGER, args, options)
  return { stdout, stderr, exitCode, errors: stderr.replaceAll(/^user default: .*\n/gm, "") }
}

/** Waits until `test` gives something, at most `seconds`. */
export async function until<T>(test: () => T | undefined | false, seconds = 60): Promise<T> {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const found = test()
    if (found) return found
    if (Date.now() > end) throw new Error("waited in vain")
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
