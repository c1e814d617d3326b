/** An image reference in its parts. */
export interface Reference {
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
