import { spawn } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type DockerTarget, dockerEnv } from "./docker.js"
import { type Log, machineHome } from "./home.js"

/** What came of a pull: done, refused by the registry, or no answer from it. */
export type Answer = { kind: "pulled" } | { kind: "refused"; why: string } | { kind: "silent"; why: string }

const PATIENCE_MS = 5_000
const MEMORY_MS = 10 * 60_000

/** Words by which a registry that was reached says no; anything else is a network that does not get there. */
const REFUSALS =
  /manifest unknown|not found: |manifest for .* not found|pull access denied|unauthorized|no matching manifest/i

/**
 * Pulls an image. A registry that sends nothing for five seconds counts as silent, and that is remembered for ten
 * minutes, on disk too, so that a machine without registries doesn't wait for each image anew.
 */
export async function askRegistry(
  docker: DockerTarget,
  registry: string,
  reference: string,
  log: Log,
): Promise<Answer> {
  const silent = silentRegistries()
  const remembered = silent[registry]
  if (remembered && remembered.until > Date.now()) return { kind: "silent", why: remembered.why }
  const answer = await pull(docker, reference, log)
  if (answer.kind === "silent") {
    silent[registry] = { why: answer.why, until: Date.now() + MEMORY_MS }
    writeFileSync(memoryFile(), JSON.stringify(silent))
  }
  return answer
}

function pull(docker: DockerTarget, reference: string, log: Log): Promise<Answer> {
  return new Promise(resolve => {
    const child = spawn(docker.cli, ["pull", reference], {
      env: dockerEnv(docker),
      stdio: ["ignore", "pipe", "pipe"],
    })
    let answered = false
    let errors = ""
    const impatience = setTimeout(() => child.kill(), PATIENCE_MS)
    child.stdout.on("data", () => {
      if (!answered) log(`pulling ${reference}`)
      answered = true
      clearTimeout(impatience)
    })
    child.stderr.on("data", data => {
      errors += data
    })
    child.once("error", error => {
      errors += error.message
    })
    child.once("close", code => {
      clearTimeout(impatience)
      if (code === 0) return resolve({ kind: "pulled" })
      const why = errors.trim().replace(/^Error response from daemon: /, "") || "no answer within 5 seconds"
      resolve({ kind: answered || REFUSALS.test(why) ? "refused" : "silent", why })
    })
  })
}

type Memory = Record<string, { why: string; until: number }>

function silentRegistries(): Memory {
  try {
    return JSON.parse(readFileSync(memoryFile(), "utf8")) as Memory
  } catch {
    return {}
  }
}

function memoryFile(): string {
  return join(machineHome(), "silent-registries.json")
}
