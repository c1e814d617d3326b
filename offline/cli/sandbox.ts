import { gitUrl, type World, worldDown, worldLogs, worldReset, worldUp } from "../sandbox.js"
import { findModule } from "../session/module/source.js"
import { CliError } from "./errors.js"
import type { Globals } from "./globals.js"
import { CHECKOUT, STATE_DIR } from "./place.js"
import { progressLog } from "./progress.js"

/** `up`: brings the sandbox up and prints how a real engine's `dagger call` rehearses against it. */
export async function up(globals: Globals): Promise<number> {
  const log = progressLog(globals)
  const world = await worldUp(STATE_DIR, findModule(globals.mod, CHECKOUT).root, log)
  process.stdout.write(instructions(world))
  return 0
}

/** `down`: ends what runs for this checkout; nothing is forgotten. */
export async function down(globals: Globals): Promise<number> {
  await worldDown(STATE_DIR, progressLog(globals))
  return 0
}

/** `reset`: ends what runs for this checkout and forgets all of it. */
export async function reset(globals: Globals): Promise<number> {
  await worldReset(STATE_DIR, progressLog(globals))
  return 0
}

/** `logs [name]`: the last lines of each log, or of one. */
export function logs(names: readonly string[]): number {
  const all = worldLogs(STATE_DIR, 100)
  const [wanted] = names
  const found = wanted
    ? all.filter(log => log.name === wanted || (wanted === "aws" && log.name === "emulator"))
    : all
  if (wanted && found.length === 0) {
    const known = all.map(log => log.name).join(", ") || "none yet"
    throw new CliError(`no log named ${JSON.stringify(wanted)}; there are: ${known}`, { bare: true })
  }
  for (const { name, file, text } of found) process.stdout.write(`== ${name} (${file})\n${text}\n\n`)
  return 0
}

function instructions(world: World): string {
  const exports = Object.entries(world.env).map(([name, value]) => `export ${name}=${quoted(value)}`)
  const flags = [
    `--aws-endpoint=tcp://127.0.0.1:${world.emulator.port}`,
    `--git-endpoint=tcp://127.0.0.1:${world.git.port}`,
    `--git-remote=${gitUrl(world)}`,
  ]
  return [
    `AWS APIs and registry   http://127.0.0.1:${world.emulator.port} (account ${world.emulator.accountId}, ${world.emulator.region})`,
    `The service             ${world.emulator.appUrl}`,
    `Git remote              ${gitUrl(world)}`,
    "",
    "# ./offline/dagger call uses these by itself. For a real engine on this machine:",
    ...exports,
    `dagger call ${flags.join(" ")} release`,
    "",
  ].join("\n")
}

function quoted(text: string): string {
  return /^[\w./:=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
