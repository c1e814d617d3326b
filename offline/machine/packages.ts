import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { isRoot, type Log, machineHome } from "./home.js"
import { withLock } from "./lock.js"
import { run } from "./process.js"

/** True on Debian (or Ubuntu) as root: then a missing program can be installed without asking the user to do it. */
export function canInstall(): boolean {
  return isRoot() && existsSync("/usr/bin/apt-get") && existsSync("/etc/debian_version")
}

/**
 * Installs Debian packages without questions; fetches the package lists first when they are missing or too old to
 * name the packages. Throws with apt's own words when that fails.
 */
export async function installDebian(packages: string[], log: Log): Promise<void> {
  log(`installing ${packages.join(", ")} from Debian`)
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  const install = () =>
    run("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages], { env })
  let done = await install()
  if (done.code !== 0) {
    await run("apt-get", ["update", "-q"], { env })
    done = await install()
  }
  if (done.code !== 0) {
    const why = done.stderr.trim().split("\n").slice(-5).join("\n")
    throw new Error(`Debian's ${packages.join(", ")} could not be installed:\n${why}`)
  }
}

/** The suite of this machine's Debian (such as `bookworm`), or undefined elsewhere. */
export function debianSuite(): string | undefined {
  if (!existsSync("/etc/os-release")) return undefined
  const release = readFileSync("/etc/os-release", "utf8")
  return /^ID=debian$/m.test(release) ? /^VERSION_CODENAME=(\S+)$/m.exec(release)?.[1] : undefined
}

/**
 * Makes (once) a Python environment with exactly what `requirements` names: a file with pinned, hashed packages.
 * Environments are keyed by that file's content, so checkouts with different pins don't disturb each other.
 * `what` says what needs them, for the log. Returns the path of the environment's Python. Throws with pip's own words when the packages can't be installed.
 */
export async function ensurePython(
  requirements: string,
  log: Log,
  what = "the AWS emulator",
): Promise<string> {
  const key = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12)
  const environment = join(machineHome(), `python-${key}`)
  const python = join(environment, "bin/python")
  if (isComplete(environment)) return python
  return withLock(`${environment}.lock`, "the Python environment", log, async () => {
    if (isComplete(environment)) return python
    const base = await basePython(log)
    log(`creating a Python environment for ${what} (once per machine)`)
    rmSync(environment, { recursive: true, force: true })
    mkdirSync(dirname(environment), { recursive: true })
    const made = await run(base, ["-m", "venv", environment])
    if (made.code !== 0) throw new Error(`Python's venv failed:\n${made.stderr || made.stdout}`)
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]
    const installed = await run(python, [...pip, requirements], { timeout: 600_000 })
    if (installed.code !== 0) {
      const why = installed.stderr.trim().split("\n").slice(-6).join("\n")
      throw new Error(`The packages for ${what} could not be installed from PyPI:\n${why}`)
    }
    writeFileSync(join(environment, "complete"), "")
    return python
  })
}

/** A Python of 3.10 or later that can make environments; installs Debian's if possible. */
async function basePython(log: Log): Promise<string> {
  const suits = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"
  for (const python of ["python3", "/usr/bin/python3"]) {
    if ((await run(python, ["-c", suits])).code === 0) return python
  }
  if (canInstall()) {
    await installDebian(["python3", "python3-venv"], log)
    if ((await run("/usr/bin/python3", ["-c", suits])).code === 0) return "/usr/bin/python3"
  }
  throw new Error(
    "The AWS emulator needs Python 3.10 or later with the venv module. Install it (on Debian and Ubuntu the package " +
      "python3-venv), then run this again.",
  )
}

function isComplete(environment: string): boolean {
  return existsSync(join(environment, "complete"))
}
