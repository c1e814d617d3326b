import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join, resolve } from "node:path"
import { checkoutHome, type Log } from "../machine/home.js"
import { canInstall, installDebian } from "../machine/packages.js"
import { run } from "../machine/process.js"
import { summaryText } from "./build.js"
import { BuildError, command } from "./command.js"
import { documentText } from "./document.js"
import { buildLog } from "./log.js"
import { rehearse } from "./rehearsal.js"

const CHECKOUT = resolve(import.meta.dirname, "../..")
const DOCUMENT = join(CHECKOUT, "docs/demonstration.md")
const PICTURE = join(CHECKOUT, "docs/demonstration.png")

/** `npm run rehearse`: rehearses a push to release with this repository's HEAD, and writes what it saw to the documentation. */
async function main(signal: AbortSignal): Promise<number> {
  const log = buildLog(text => process.stdout.write(text))
  const seen = await rehearse({
    checkout: CHECKOUT,
    stateDir: join(checkoutHome(CHECKOUT), "rehearsal"),
    source: CHECKOUT,
    log,
    signal,
    visit: world => picture(world.emulator.appUrl, PICTURE, line => log.say(line)),
  })
  process.stdout.write(`\n${summaryText(seen.project, seen.result)}`)
  writeFileSync(DOCUMENT, documentText(seen, basename(PICTURE)))
  process.stdout.write(`Wrote ${DOCUMENT} and its picture\n`)
  return 0
}

/** A browser without a window that talks to nothing but the page. */
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

/** Takes a screenshot of a page in headless Chromium, which is installed if it can be. Throws BuildError if there is none. */
async function picture(url: string, file: string, log: Log): Promise<void> {
  if (!(await browser()) && canInstall()) await installDebian(["chromium"], log)
  const found = await browser()
  if (!found) throw new BuildError("Chromium is not installed. Install it, then run this again.")
  const profile = mkdtempSync(join(tmpdir(), "chromium-"))
  try {
    rmSync(file, { force: true })
    const options = [...FLAGS, `--user-data-dir=${profile}`, `--screenshot=${file}`]
    const done = await run(found, [...options, url], { timeout: 120_000 })
    if (!existsSync(file)) throw new BuildError(`Chromium took no picture of ${url}: ${done.stderr.trim()}`)
  } finally {
    rmSync(profile, { recursive: true, force: true })
  }
}

async function browser(): Promise<string | undefined> {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    if ((await run(name, ["--version"])).code === 0) return name
  }
  return undefined
}

command(main, 1)
