import { readdirSync } from "node:fs"

/** True when the process runs whose number a name starts with. */
export function alive(name: string): boolean {
  const pid = Number.parseInt(name, 10)
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

/** The names in a folder; none where it isn't there. */
export function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
