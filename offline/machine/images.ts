import { type DockerTarget, hasImage } from "./docker.js"
import type { Log } from "./home.js"
import { parseReference } from "./reference.js"
import { type Answer, askRegistry } from "./registries.js"
import { buildStandIn, standInFor, standInNames } from "./standins.js"

const resolved = new Map<string, Promise<string>>()

/**
 * Makes an image usable by the Docker daemon: one that is there is taken as it is; else it is pulled; else, where the
 * registry can't be reached, a stand-in made of Debian packages takes its place (said once through `log`).
 * Returns the reference to use. Throws when a registry refused the image, or none answered and it has no stand-in.
 */
export function resolveImage(docker: DockerTarget, reference: string, log: Log): Promise<string> {
  const key = `${docker.host} ${reference}`
  let known = resolved.get(key)
  if (!known) {
    known = resolve(docker, reference, log)
    resolved.set(key, known)
    known.catch(() => resolved.delete(key))
  }
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
    `Name the image on a mirror that you can reach, or load it with \`docker load\`. Without a registry there are ` +
    `stand-ins for ${standInNames().join(", ")} only.`
  )
}
