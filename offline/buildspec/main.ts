import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { config } from "../../infra/config.js"
import { checkoutHome } from "../machine/home.js"
import { startBuild, summaryText } from "./build.js"
import { BuildError, command } from "./command.js"
import { eventOf } from "./event.js"
import { buildLog } from "./log.js"
import { git } from "./source.js"

const USAGE = `Usage: ./offline/codebuild [OPTIONS]

Runs buildspec.yml as AWS CodeBuild does for a push or a pull request, against the sandbox of ./offline/dagger: the event
is checked against the webhooks of infra/, the commit is cloned from the sandbox's git remote, and only what CodeBuild
provides reaches the commands.

Options:
  --event EVENT      push or pull_request (default: push)
  --source DIR       Repository whose HEAD to build (default: this one). Uncommitted changes are left out
  --buildspec FILE   A buildspec to use instead of the commit's
  -h, --help         Show this help

Exit code: 0 when the build succeeded, 1 when it failed, 2 when no build starts, 130 after Ctrl-C.
`

const CHECKOUT = resolve(import.meta.dirname, "../..")

async function main(signal: AbortSignal): Promise<number> {
  const { values } = parseArgs({
    options: {
      event: { type: "string", default: "push" },
      source: { type: "string", default: CHECKOUT },
      buildspec: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return 0
  }
  if (values.event !== "push" && values.event !== "pull_request") {
    throw new BuildError(`--event is ${values.event}: it must be push or pull_request.`)
  }
  const log = buildLog(text => process.stdout.write(text))
  const source = resolve(values.source)
  const event = await eventOf(source, values.event, config.source.branch)
  if (await git(source, ["status", "--porcelain"]))
    log.say("Note: uncommitted changes are not part of the build")
  const { project, result } = await startBuild({
    checkout: CHECKOUT,
    stateDir: checkoutHome(CHECKOUT),
    source,
    event,
    buildspec: values.buildspec && resolve(values.buildspec),
    log,
    signal,
  })
  process.stdout.write(`\n${summaryText(project.name, result)}`)
  return { SUCCEEDED: 0, FAILED: 1, TIMED_OUT: 1, STOPPED: 130 }[result.state]
}

command(main, 2)
