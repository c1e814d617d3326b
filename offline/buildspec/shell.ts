import { spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { constants } from "node:os"
import { join } from "node:path"
import { run } from "../machine/process.js"

/** How long a command that is being stopped has to clean up. */
const GRACE_MS = 5_000

/**
 * The shell that all commands of a build share. As in CodeBuild's agent each command is a process, which takes over the
 * folder and the variables of the one before and leaves its own: `cd` and `X=1` last, and every variable is exported. A
 * command that calls `exit` leaves nothing.
 */
export class BuildShell {
  private readonly shell: string
  private readonly folder: string
  private readonly base: Record<string, string>

  /**
   * @param options.folder an empty folder for the shell's own files
   * @param options.cwd where the first command starts
   * @param options.variables the only environment that the commands have
   */
  constructor(options: { shell: string; folder: string; cwd: string; variables: Record<string, string> }) {
    this.shell = options.shell
    this.folder = options.folder
    this.base = options.variables
    mkdirSync(this.folder, { recursive: true })
    writeFileSync(this.file("dir.txt"), options.cwd)
    writeFileSync(this.file("env.sh"), "", { mode: 0o600 })
  }

  /**
   * Runs a command to its end; its output goes to `output` as it comes. When `signal` fires, it is stopped with everything it
   * started.
   *
   * @param options.set variables to set before it
   * @returns its exit code
   */
  execute(
    command: string,
    options: { set: Record<string, string>; output: (chunk: Buffer) => void; signal: AbortSignal },
  ): Promise<number> {
    const script = this.file("script.sh")
    writeFileSync(script, this.script(command, options.set), { mode: 0o600 })
    return new Promise((resolve, reject) => {
      const child = spawn(this.shell, [script], {
        env: this.base,
        cwd: "/",
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      })
      const send = (signal: NodeJS.Signals) => {
        try {
          if (child.pid) process.kill(-child.pid, signal)
        } catch {} // it has ended in the meantime
      }
      let last: NodeJS.Timeout | undefined
      const kill = () => {
        send("SIGTERM")
        last = setTimeout(() => send("SIGKILL"), GRACE_MS)
      }
      if (options.signal.aborted) kill()
      options.signal.addEventListener("abort", kill)
      child.stdout.on("data", options.output)
      child.stderr.on("data", options.output)
      child.once("error", reject)
      child.once("close", (code, signal) => {
        clearTimeout(last)
        options.signal.removeEventListener("abort", kill)
        resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"])
      })
    })
  }

  /** The values that these variables have now; those not set are left out. */
  async values(names: string[]): Promise<Record<string, string>> {
    const ask = `. "${this.file("env.sh")}"\nfor name in ${names.join(" ")}; do printenv "$name" || true; printf '\\0'; done`
    const { stdout } = await run(this.shell, ["-c", ask], { env: this.base, cwd: "/" })
    const values = stdout.split("\0").map(value => value.replace(/\n$/, ""))
    return Object.fromEntries(
      names.map((name, at) => [name, values[at] ?? ""]).filter(([, value]) => value !== ""),
    )
  }

  private script(command: string, set: Record<string, string>): string {
    return [
      `cd "$(cat "${this.file("dir.txt")}")"`,
      "set -a",
      `. "${this.file("env.sh")}"`,
      ...Object.entries(set).map(([name, value]) => `${name}='${value.replaceAll("'", "'\\''")}'`),
      command,
      "CODEBUILD_LAST_EXIT=$?",
      `export -p > "${this.file("env.sh")}"`,
      `pwd > "${this.file("dir.txt")}"`,
      'exit "$CODEBUILD_LAST_EXIT"',
      "",
    ].join("\n")
  }

  private file(name: string): string {
    return join(this.folder, name)
  }
}
