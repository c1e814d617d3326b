import { accessSync, constants } from "node:fs"
import { join } from "node:path"
import { run } from "./process.js"

/**
 * Finds a Docker client that can build with BuildKit. A client of version 23 or later needs the buildx plugin for
 * that; older ones have it built in. A bare `docker` on PATH may be neither, so each candidate is asked.
 * Returns the client's path, or undefined when there is none.
 */
export async function findDockerClient(): Promise<string | undefined> {
  const directories = [...(process.env.PATH ?? "").split(":").filter(Boolean), "/usr/bin", "/usr/local/bin"]
  for (const directory of new Set(directories)) {
    const client = join(directory, "docker")
    if (isExecutable(client) && (await canBuild(client))) return client
  }
  return undefined
}

async function canBuild(client: string): Promise<boolean> {
  const version = await run(client, ["--version"], { timeout: 10_000 })
  const major = Number(/version (\d+)\./.exec(version.stdout)?.[1])
  if (major >= 18 && major < 23) return true
  return (await run(client, ["buildx", "version"], { timeout: 10_000 })).code === 0
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
