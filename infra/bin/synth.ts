/**
 * Prints the stack's template as JSON, compact: CloudFormation takes 51,200 bytes.
 *
 *   npx tsx infra/bin/synth.ts [--for-emulator] [--set PATH=VALUE ...]
 *
 * `--set` changes a value of config.ts by its path, such as `--set tasks.min=2`; the value is JSON, or else a string.
 * `--for-emulator` leaves out what the AWS emulator does not support, and says so on standard error.
 */
import { parseArgs } from "node:util"
import { config } from "../config.js"
import { emulatorTemplate } from "../lib/emulator.js"
import { changed } from "../lib/settings.js"
import { synthesize } from "../lib/synth.js"

const { values } = parseArgs({
  options: { "for-emulator": { type: "boolean" }, set: { type: "string", multiple: true, default: [] } },
})
const wanted = changed(config, values.set)
const { template, leftOut } = values["for-emulator"]
  ? emulatorTemplate(wanted)
  : { template: synthesize(wanted), leftOut: [] }
for (const id of leftOut) console.error(`Left out: ${id}, which the emulator does not support`)
console.log(JSON.stringify(template))
