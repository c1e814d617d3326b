/**
 * A name as the command line shows it: `badExec` is `bad-exec`, `JSONData` is `json-data`, `ecsArn2` is `ecs-arn-2`.
 * The rule is the real CLI's: a new word at a capital after a small letter, at the last capital of several before a small
 * letter, and between letters and digits.
 */
export function kebab(name: string): string {
  return name
    .trim()
    .replace(/([a-z])([A-Z])/g, "$1-$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1-$2")
    .replace(/([A-Za-z])([0-9])/g, "$1-$2")
    .replace(/([0-9])([A-Za-z])/g, "$1-$2")
    .replace(/[ _.]/g, "-")
    .toLowerCase()
}

/** `my-module` as a class is named: `MyModule`. */
export function pascal(name: string): string {
  return kebab(name)
    .split("-")
    .map(word => word.charAt(0).toUpperCase() + word.slice(1))
    .join("")
}

/** `my-module` as a field is named: `myModule`. */
export function camel(name: string): string {
  const text = pascal(name)
  return text.charAt(0).toLowerCase() + text.slice(1)
}

/** The API's name of a module's type: with the module's own name before it, unless it has it. */
export function typeName(module: string, type: string): string {
  const main = pascal(module)
  return type.startsWith(main) ? type : main + type
}
