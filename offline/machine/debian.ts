import { existsSync, readFileSync } from "node:fs"
import { isRoot, type Log } from "./home.js"
import { run } from "./process.js"

/** True on Debian (or Ubuntu) as root, where a missing program can be installed instead of asked for. */
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
