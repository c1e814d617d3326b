import type { ObjectDef } from "../session/module/types.js"
import { CliError } from "./errors.js"
import type { Globals } from "./globals.js"
import { functionList, layoutOf } from "./help.js"
import { loadModule } from "./module.js"
import { kebab } from "./names.js"
import { progressLog } from "./progress.js"

/** `dagger functions [function]...`: lists the functions of the module, or of what a chain of functions returns. */
export async function functions(names: readonly string[], globals: Globals): Promise<number> {
  const { api } = await loadModule(globals, progressLog(globals))
  let object: ObjectDef = api.mainObject
  for (const name of names) {
    const { supported, skipped } = api.functions(object)
    const fn = supported.find(one => one.name === name || kebab(one.name) === name)
    if (!fn && skipped.includes(kebab(name))) {
      throw new CliError(`function "${name}" in type "${object.name}" is not supported`, { bare: true })
    }
    if (!fn) throw new CliError(`no function "${name}" in type "${object.name}"`, { bare: true })
    const type = fn.returns.kind === "LIST" ? fn.returns.element : fn.returns
    const next = type?.kind === "OBJECT" ? api.object(type.name) : undefined
    if (!next) {
      const message = `function "${name}" returns type "${fn.returns.kind}_KIND" with no further functions available`
      throw new CliError(message, { bare: true })
    }
    object = next
  }
  const { supported, skipped } = api.functions(object)
  if (supported.length === 0) process.stderr.write("No functions found.\n")
  else process.stdout.write(functionList(supported, skipped, layoutOf(process.stdout)))
  return 0
}
