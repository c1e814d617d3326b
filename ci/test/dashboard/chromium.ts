import { existsSync } from "node:fs"
import { installDebian } from "../../../offline/machine/packages.js"

const programs = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]

/** The system's Chromium; on Debian it is installed if it is not there. */
export async function chromiumProgram(): Promise<string> {
  const there = programs.find(existsSync)
  if (there) return there
  await installDebian(["chromium", "fonts-dejavu-core"], console.log)
  return "/usr/bin/chromium"
}
