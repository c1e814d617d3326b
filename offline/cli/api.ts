import type { ArgumentDef, EnumDef, FunctionDef, ModuleDef, ObjectDef } from "../session/module/types.js"
import { kebab, pascal } from "./names.js"
import { isSupported } from "./values.js"

/** Objects and enums of the core API, as far as the stand-in has them. */
export interface CoreApi {
  objects: ObjectDef[]
  enums: EnumDef[]
}

/** What can be called: the module's types and the core's. */
export class Api {
  readonly mainObject: ObjectDef

  /** Throws where the module has no class of the module's name. */
  constructor(
    readonly moduleName: string,
    readonly module: ModuleDef,
    private readonly core: CoreApi,
  ) {
    const main = module.objects.find(object => object.name === pascal(moduleName))
    if (!main) throw new Error(`no class ${pascal(moduleName)} with @object() in the module ${moduleName}`)
    this.mainObject = main
  }

  /** The module's object of that name; undefined for one of the core. */
  own(name: string | undefined): ObjectDef | undefined {
    return this.module.objects.find(object => object.name === name)
  }

  object(name: string | undefined): ObjectDef | undefined {
    return this.own(name) ?? this.core.objects.find(object => object.name === name)
  }

  /** The functions and fields of an object that the command line can call, and the names of those it can't. */
  functions(object: ObjectDef): { supported: FunctionDef[]; skipped: string[] } {
    const fields = object.fields.map(field => ({
      name: field.name,
      description: field.description,
      returns: field.type,
      args: [],
    }))
    const all: FunctionDef[] = [...fields, ...object.functions]
    const can = (fn: FunctionDef) => fn.args.every(arg => !isRequired(arg) || isSupported(arg.type))
    return { supported: all.filter(can), skipped: all.filter(fn => !can(fn)).map(fn => kebab(fn.name)) }
  }

  /** The names that values of an enum have on the command line, sorted. */
  enumNames(name: string): string[] {
    const found = this.findEnum(name)
    return (found?.members ?? []).map(member => memberName(member.name)).sort()
  }

  /** The member's name in the code, from the one on the command line. */
  enumMember(name: string, shown: string): string {
    const members = this.module.enums.find(one => one.name === name)?.members ?? []
    return members.find(member => memberName(member.name) === shown)?.name ?? shown
  }

  /** The name on the command line of a member named as in the code. */
  enumShown(name: string, member: string): string {
    return this.module.enums.some(one => one.name === name) ? memberName(member) : member
  }

  private findEnum(name: string): EnumDef | undefined {
    return this.module.enums.find(one => one.name === name) ?? this.core.enums.find(one => one.name === name)
  }
}

/** True where the argument is the caller's repository, which is never given but injected. */
export function isWorkspace({ type }: ArgumentDef): boolean {
  return type.kind === "OBJECT" && type.name === "Workspace"
}

/** True where the function can't be called without the argument. */
export function isRequired(arg: ArgumentDef): boolean {
  return (
    !isWorkspace(arg) && !arg.type.optional && !arg.defaultValue && !arg.defaultPath && !arg.defaultAddress
  )
}

/** Members are shown in SCREAMING_SNAKE case. */
function memberName(name: string): string {
  return /^[A-Z0-9_]+$/.test(name) ? name : kebab(name).replaceAll("-", "_").toUpperCase()
}
