import { isRequired, kebab } from "./api.js"
import { call } from "./call.js"
import type { Globals } from "./commands.js"
import { CliError, errorText } from "./errors.js"
import { loadModule, progressLog } from "./module.js"

/**
 * `dagger check [check]...`: runs the functions marked as checks that can be called without arguments: all of them, or the named
 * ones. It does not stop at a failure, and it is fine if there are none. Returns 1 if one failed. Throws CliError for an unknown name.
 */
export async function check(names: readonly string[], globals: Globals): Promise<number> {
  const { api } = await loadModule(globals, progressLog(globals))
  const marked = api.mainObject.functions.filter(({ isCheck, args }) => isCheck && !args.some(isRequired))
  const known = marked.map(({ name }) => kebab(name))
  const unknown = names.find(name => !known.includes(kebab(name)))
  if (unknown !== undefined) {
    const there = known.join(", ") || "none"
    throw new CliError(`no check named ${JSON.stringify(unknown)}; there are: ${there}`)
  }
  const failed: string[] = []
  for (const name of known.filter(name => names.length === 0 || names.map(kebab).includes(name))) {
    try {
      await call([name], { ...globals, output: undefined, json: false })
      process.stderr.write(`✔ ${name}\n`)
    } catch (error) {
      process.stderr.write(errorText(error))
      process.stderr.write(`✘ ${name}\n`)
      failed.push(name)
    }
  }
  return failed.length > 0 ? 1 : 0
}
