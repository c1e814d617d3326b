import { spawn } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type DockerTarget, dockerEnv, hasImage } from "./docker.js"
import { type Log, machineHome } from "./home.js"
import { buildStandIn, standInFor, standInNames } from "./standins.js"

/** The results of resolving images, valid only while a call uses the daemon: images and registries come and go. */
const resolved = new WeakMap<DockerTarget, Map<string, Promise<string>>>()

/**
 * Makes an image usable by the Docker daemon: one that is there is used as is; else it is pulled; else, if the
 * registry can't be reached, a stand-in made of Debian packages takes its place (said once through `log`).
 * Returns the reference to use. Throws when a registry refused the image, or none answered and it has no stand-in.
 */
export function resolveImage(docker: DockerTarget, reference: string, log: Log): Promise<string> {
  const images = resolved.get(docker) ?? new Map<string, Promise<string>>()
  resolved.set(docker, images)
  const known = images.get(reference) ?? resolve(docker, reference, log)
  images.set(reference, known)
  known.catch(() => images.delete(reference))
  return known
}

async function resolve(docker: DockerTarget, reference: string, log: Log): Promise<string> {
  const { registry, name, tag } = parseReference(reference)
  if (await hasImage(docker, reference)) return reference
  const answer = await askRegistry(docker, registry, reference, log)
  if (answer.kind === "pulled") return reference
  const standIn = answer.kind === "silent" ? standInFor(name, tag) : undefined
  if (!standIn) throw new Error(explain(reference, registry, answer))
  const image = await buildStandIn(docker, standIn, log)
  log(`${image} stands in for ${reference}: no answer from ${registry}`)
  return image
}

function explain(reference: string, registry: string, answer: Exclude<Answer, { kind: "pulled" }>): string {
  if (answer.kind === "refused") {
    return `The image ${reference} can't be pulled: ${answer.why}\nCheck its name and tag, and that you are logged in to ${registry}.`
  }
  return (
    `The image ${reference} is not on this machine and ${registry} does not answer: ${answer.why}\n` +
    `Use a mirror that you can reach, or load it with \`docker load\`. Without a registry there are ` +
    `stand-ins for ${standInNames().join(", ")} only.`
  )
}

/** An image reference in its parts. */
interface Reference {
  /** Host of the registry, with its port if one is named. */
  registry: string
  /** The repository; without the prefixes under which Docker's official images are found. */
  name: string
  /** The tag, or "latest". */
  tag: string
}

const OFFICIAL = [
  { registry: "docker.io", prefix: "library/" },
  { registry: "public.ecr.aws", prefix: "docker/library/" },
]

/**
 * Takes an image reference apart by the rules of Docker's distribution: the first path segment is a registry when
 * it holds a dot or a colon or is `localhost`; a name without one is Docker Hub's. A digest is ignored.
 */
export function parseReference(reference: string): Reference {
  const [unpinned = ""] = reference.split("@")
  const slash = unpinned.indexOf("/")
  const first = slash < 0 ? "" : unpinned.slice(0, slash)
  const named = /[.:]/.test(first) || first === "localhost"
  const registry = named ? first : "docker.io"
  const path = named ? unpinned.slice(slash + 1) : unpinned
  const colon = path.lastIndexOf(":")
  let name = colon < 0 ? path : path.slice(0, colon)
  for (const official of OFFICIAL) {
    if (official.registry === registry && name.startsWith(official.prefix))
      name = name.slice(official.prefix.length)
  }
  return { registry, name, tag: colon < 0 ? "latest" : path.slice(colon + 1) }
}

/** The result of a pull: done, refused by the registry, or no answer from it. */
type Answer = { kind: "pulled" } | { kind: "refused"; why: string } | { kind: "silent"; why: string }

const PATIENCE_MS = 5_000
const MEMORY_MS = 10 * 60_000

/** Words by which a registry that was reached refuses; any other error means that the network doesn't reach it. */
const REFUSALS =
  /manifest unknown|not found: |manifest for .* not found|pull access denied|unauthorized|no matching manifest/i

/**
 * Pulls an image. A registry that sends nothing for five seconds counts as silent, and that is remembered for ten
 * minutes, on disk too, so that a machine without registries doesn't wait again for each image.
 */
async function askRegistry(
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
