// Plain JavaScript, like dagger.mjs, so that a command starts within a tenth of a second.

/** The commands of the real CLI that exist here, with what each does. @type {Record<string, string>} */
export const COMMANDS = {
  call: "Call one or more functions, interconnected into a pipeline",
  check: "Run the module's checks: all of them, or the named ones",
  functions: "List available functions",
  run: "Run a command in a session of the Dagger API",
  version: "Print the version",
}

/** The commands of the sandbox. @type {Record<string, string>} */
export const SANDBOX = {
  up: "Bring up the sandbox (AWS emulator, git remote) and print how to use it with a real engine",
  down: "Stop everything that runs for this checkout; nothing is deleted",
  reset: "Stop everything that runs for this checkout and delete its state",
  logs: "Show all logs of the sandbox, or only one: emulator, git, docker",
}
