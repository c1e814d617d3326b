import { existsSync, readFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"

/**
 * Lets a module in a clone find its packages: those of this checkout, under the clone's parent folder, so that the clone
 * stays as it is. An engine would install them itself.
 *
 * @returns false where the clone asks for others than this checkout has
 */
export function lendPackages(checkout: string, parent: string, clone: string): boolean {
  symlinkSync(join(checkout, "node_modules"), join(parent, "node_modules"))
  return lockfile(clone) === lockfile(checkout)
}

function lockfile(folder: string): string {
  const file = join(folder, "package-lock.json")
  return existsSync(file) ? readFileSync(file, "utf8") : ""
}
