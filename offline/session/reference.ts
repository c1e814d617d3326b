/** The registry's host (and port) in an image's address; Docker Hub's where the address names none. */
export function registryOf(address: string): string {
  const [first = "", ...rest] = address.replace(/^https?:\/\//, "").split("/")
  const named = rest.length > 0 && (/[.:]/.test(first) || first === "localhost")
  return named ? first : "docker.io"
}

/** An image's address in full, as the engine shows it: with the registry, and `library/` for Docker Hub's own. */
export function normalised(address: string): string {
  if (registryOf(address) !== "docker.io") return address
  const name = address.replace(/^docker\.io\//, "")
  return `docker.io/${name.includes("/") ? name : `library/${name}`}`
}

/** An address cut into what names the repository, and its tag (undefined without one). */
export function splitTag(address: string): { repository: string; tag?: string } {
  const [, repository = address, tag] = /^(.*?)(?::([^:/@]+))?$/.exec(address) ?? []
  return tag === undefined ? { repository } : { repository, tag }
}
