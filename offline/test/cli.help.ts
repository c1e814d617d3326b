import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { execa } from "execa"
import { vi } from "vitest"
import { main } from "../cli/main.js"

export const DAGGER = fileURLToPath(new URL("../dagger", import.meta.url))
const FIXTURES = fileURLToPath(new URL("fixtures", import.meta.url))

/** A copy of a fixture module in its own git repository. */
export function copyOf(fixture: string): { dir: string; remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), `${fixture}-`))
  cpSync(join(FIXTURES, fixture), dir, { recursive: true })
  execFileSync("git", ["init", "--quiet", "--initial-branch=main", dir])
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/** What a command line left behind; `errors` is standard error without what is said about the user's defaults. */
interface Ran {
  stdout: string
  stderr: string
  errors: string
  exitCode: number | undefined
}

/** Runs ./offline/dagger without a terminal, in its own process. */
export async function daggerProcess(
  cwd: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<Ran> {
  const options = { cwd, env, reject: false, stripFinalNewline: false, stdin: "ignore" } as const
  const { stdout, stderr, exitCode } = await execa(DAGGER, args, options)
  return { stdout, stderr, exitCode, errors: withoutDefaults(stderr) }
}

/** As `daggerProcess`, in this process, which takes a fraction of the time. One at a time. */
export async function dagger(cwd: string, args: string[], env: Record<string, string> = {}): Promise<Ran> {
  const before = { cwd: process.cwd(), env: { ...process.env } }
  const said = { stdout: "", stderr: "" }
  const spies = (["stdout", "stderr"] as const).map(stream =>
    vi.spyOn(process[stream], "write").mockImplementation((text, ...rest: unknown[]) => {
      said[stream] += text
      for (const done of rest) if (typeof done === "function") done()
      return true
    }),
  )
  try {
    process.chdir(cwd)
    Object.assign(process.env, env)
    const exitCode = await main(args)
    return { ...said, exitCode, errors: withoutDefaults(said.stderr) }
  } finally {
    for (const spy of spies) spy.mockRestore()
    process.chdir(before.cwd)
    process.env = before.env
  }
}

function withoutDefaults(stderr: string): string {
  return stderr.replaceAll(/^user default: .*\n/gm, "")
}

/** Waits until `test` gives something, at most `seconds`. */
export async function until<T>(
  test: () => T | undefined | false | Promise<T | undefined | false>,
  seconds = 60,
): Promise<T> {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const found = await test()
    if (found) return found
    if (Date.now() > end) throw new Error("waited in vain")
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
