import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { checkoutHome } from "../machine/home.js"
import { BuildError } from "./errors.js"
import { interrupt } from "./interrupt.js"
import { buildLog } from "./log.js"
import { rehearse } from "./rehearsal.js"
import { documentText } from "./rehearsalDocument.js"
import { picture } from "./rehearsalPage.js"
import { summaryText } from "./summary.js"

const USAGE = `Usage: ./offline/rehearse [OPTIONS]

Rehearses a push to release, in a sandbox of its own: releases HEAD, commits a change of the app, pushes it, and lets the
webhook's event start the build that releases it. Writes what it saw to docs/demonstration.md, with the page's picture.

Options:
  --source DIR      Repository to rehearse with (default: this one). What is not committed is left out
  --document FILE   Markdown file to write; the picture goes beside it (default: docs/demonstration.md)
  -h, --help        Show this
`

const CHECKOUT = resolve(import.meta.dirname, "../..")

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      source: { type: "string", default: CHECKOUT },
      document: { type: "string", default: join(CHECKOUT, "docs/demonstration.md") },
      help: { type: "boolean", short: "h" },
    },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return 0
  }
  const document = resolve(values.document)
  const png = document.replace(/(\.md)?$/, ".png")
  mkdirSync(dirname(document), { recursive: true })
  const signal = interrupt()
  const log = buildLog(text => process.stdout.write(text))
  const seen = await rehearse({
    checkout: CHECKOUT,
    stateDir: join(checkoutHome(CHECKOUT), "rehearsal"),
    source: resolve(values.source),
    log,
    signal,
    visit: sandbox => picture(sandbox.appUrl, png, line => log.say(line)),
  })
  process.stdout.write(`\n${summaryText(seen.project, seen.result)}`)
  writeFileSync(document, documentText(seen, png.replace(/^.*\//, "")))
  process.stdout.write(`Written: ${document} and its picture\n`)
  return 0
}

main().then(
  code => process.exit(code),
  error => {
    if (error === "STOPPED") process.exit(130)
    const isUsers = error instanceof BuildError || error.code?.startsWith("ERR_PARSE_ARGS")
    process.stderr.write(`Error: ${isUsers ? error.message : error.stack}\n`)
    process.exit(1)
  },
)
