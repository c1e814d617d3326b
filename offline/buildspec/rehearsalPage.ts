import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import type { Log } from "../machine/home.js"
import { canInstall, installDebian } from "../machine/packages.js"
import { run } from "../machine/process.js"
import { BuildError } from "./errors.js"

const BROWSERS = ["chromium", "chromium-browser", "google-chrome"]

/** A browser without a window that talks to nobody but the page. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--hide-scrollbars",
  "--window-size=900,500",
]

/**
 * Takes a page's picture in headless Chromium, which is installed where that is possible.
 *
 * @throws BuildError where there is no browser or it takes no picture
 */
export async function picture(url: string, file: string, log: Log): Promise<void> {
  if (!browser() && canInstall()) await installDebian(["chromium"], log)
  const found = browser()
  if (!found)
    throw new BuildError(
      `None of ${BROWSERS.join(", ")} is installed. Install Chromium, then run this again.`,
    )
  const profile = mkdtempSync(join(tmpdir(), "chromium-"))
  try {
    rmSync(file, { force: true })
    const done = await run(found, [...FLAGS, `--user-data-dir=${profile}`, `--screenshot=${file}`, url], {
      timeout: 120_000,
    })
    if (!existsSync(file)) throw new BuildError(`Chromium took no picture of ${url}: ${done.stderr.trim()}`)
  } finally {
    rmSync(profile, { recursive: true, force: true })
  }
}

function browser(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter)
  return BROWSERS.flatMap(name => folders.map(folder => join(folder, name))).find(path => existsSync(path))
}
