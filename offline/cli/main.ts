import { type Flag, takeFlags, takeFlagsAnywhere } from "./command-line.js"
import { COMMANDS, defaultGlobals, globalFlags, moduleFlags, ownFlags, SANDBOX } from "./commands.js"
import { CliError, errorText } from "./errors.js"
import { commandHelp, rootHelp } from "./help.js"

/** Runs a command line; gives the exit code. What went wrong is on standard error. */
export async function main(words: readonly string[]): Promise<number> {
  try {
    return await dispatch(words)
  } catch (error) {
    process.stderr.write(errorText(error))
    return (error instanceof CliError && error.details.exitCode) || 1
  }
}

/** Each command's code is loaded only when that command runs: what a command doesn't need must not slow it down. */
async function dispatch(words: readonly string[]): Promise<number> {
  const isHelp = (word: string | undefined) => word === "--help" || word === "-h" || word === "help"
  const help: Flag = { name: "help", short: "h", alone: "true", set: () => {} }
  const globals = defaultGlobals()
  const flags = [...globalFlags(globals), ...moduleFlags(globals)]
  const [command, ...rest] = takeFlags(words, [...ownFlags(globals), ...flags, help])
  if (command === undefined || isHelp(command)) return print(rootHelp())
  if (globals.engine === "real" && !(command in SANDBOX)) {
    return (await import("./real-engine.js")).runReal(words, command, rest, globals)
  }
  if (!(command in COMMANDS) && !(command in SANDBOX)) {
    throw new CliError(`unknown command or file ${JSON.stringify(command)} for "dagger"`, { usage: "dagger" })
  }
  if (command === "call") return (await import("./call.js")).call(rest, globals)
  if (command === "run" ? isHelp(rest[0]) : rest.some(isHelp)) return print(commandHelp(command))
  if (command === "run") return (await import("./session.js")).run(rest, globals)
  const names = takeFlagsAnywhere(rest, flags)
  if (command === "check") return (await import("./check.js")).check(names, globals)
  if (command === "functions") return (await import("./module.js")).functions(names, globals)
  const sandbox = await import("./sandbox.js")
  if (command === "logs") return sandbox.logs(names)
  if (names.length > 0) throw new CliError(`unknown command "${names[0]}" for "dagger ${command}"`)
  if (command !== "version") return sandbox[command as "up" | "down" | "reset"](globals)
  const { engineVersion } = await import("../session/engine.js")
  return print(`dagger ${engineVersion()} (offline: no engine)\n`)
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}
