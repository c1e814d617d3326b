import { type Flag, FlagError, takeFlags } from "./commandLine.js"
import {
  commandHelp,
  defaultGlobals,
  globalFlags,
  isCommand,
  moduleFlags,
  rootHelp,
  suggestions,
} from "./commands.js"
import { CliError, errorText } from "./errors.js"
import { layoutOf } from "./help.js"

// Each command's own code is loaded when it is the one: what a command doesn't need shall not slow it down.
const globals = defaultGlobals()

/** Runs a command line; returns the exit code. Throws CliError and FlagError. */
async function main(words: string[]): Promise<number> {
  const isHelp = (word: string | undefined) => word === "--help" || word === "-h" || word === "help"
  const helpFlag: Flag = { name: "help", short: "h", alone: "true", set: () => {} }
  const [command, ...rest] = takeFlags(words, [...globalFlags(globals), ...moduleFlags(globals), helpFlag])
  const layout = layoutOf(process.stdout)
  if (command === undefined || isHelp(command)) return print(rootHelp(layout))
  if (!isCommand(command)) {
    const message = `unknown command or file ${JSON.stringify(command)} for "dagger"${suggestions(command)}`
    throw new CliError(message, { bare: true })
  }
  if (command === "call") return (await import("./call.js")).call(rest, globals)
  if (command === "run" ? isHelp(rest[0]) : rest.some(isHelp)) return print(commandHelp(command, layout))
  if (command === "run") return (await import("./session.js")).run(rest, globals)
  const names = takeInterspersed(rest, [...globalFlags(globals), ...moduleFlags(globals)])
  if (command === "functions") return (await import("./module.js")).functions(names, globals)
  if (names.length > 0)
    throw new CliError(`unknown command "${names[0]}" for "dagger ${command}"`, { bare: true })
  if (command === "version") {
    const { engineVersion } = await import("../session/engine.js")
    return print(`dagger ${engineVersion()} (offline: no engine)\n`)
  }
  const sandbox = await import("./sandbox.js")
  return sandbox[command as "up" | "down" | "reset"](globals)
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

/** Takes flags anywhere among the words; returns the other words. */
function takeInterspersed(words: readonly string[], flags: readonly Flag[]): string[] {
  const names: string[] = []
  for (let rest = takeFlags(words, flags); rest.length > 0; rest = takeFlags(rest.slice(1), flags)) {
    names.push(rest[0] as string)
  }
  return names
}

function fail(error: unknown): number {
  const known = error instanceof FlagError ? new CliError(error.message, { bare: true }) : error
  process.stderr.write(errorText(known))
  return known instanceof CliError ? known.exitCode : 1
}

// Whoever reads the output may stop early (`| head`).
process.stdout.on("error", () => process.exit())
process.exitCode = await main(process.argv.slice(2)).catch(fail)
// What is still open (a session's sockets) must not hold the command back; but what was printed must be out.
process.stdout.write("", () => process.stderr.write("", () => process.exit()))
