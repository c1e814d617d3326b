import { UserError } from "../lib/errors.js"
import { type Access, readManifest, request, sendBlob } from "./distribution.js"
import { kinds, platformsOf, tagOf } from "./referrers.js"

/** How many layers are copied at a time. */
const atOnce = 4

/**
 * Copies an image, or an index with all its images, unchanged to another registry, so that its digest stays the same (OCI distribution
 * specification, "Pulling" and "Pushing"). Content that is already there is not sent again.
 *
 * @param tag the tag that it gets there
 * @throws UserError if one of the registries refuses
 */
export async function copyImage(from: Access, to: Access, digest: string, tag: string): Promise<void> {
  const pulled = await readManifest(from, digest)
  if (!pulled) {
    throw new UserError(
      `The ECR repository "${from.name}" has no ${digest}.`,
      "",
      "Release or push it there first; 'history' shows the versions that are there.",
    )
  }
  const { mediaType: type, body } = pulled
  const { manifests = [], config, layers = [] } = pulled.manifest
  for (const one of manifests) await copyImage(from, to, one.digest, one.digest)
  const blobs = [config, ...layers.filter(({ urls }) => !urls?.length)].flatMap(it => it?.digest ?? [])
  const waiting = [...new Set(blobs)]
  const work = async () => {
    for (let blob = waiting.shift(); blob !== undefined; blob = waiting.shift())
      await copyBlob(from, to, blob)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  await request(to, "PUT", `manifests/${tag}`, { headers: { "content-type": type }, body })
}

async function copyBlob(from: Access, to: Access, digest: string): Promise<void> {
  const there = await request(to, "HEAD", `blobs/${digest}`, {}, [404])
  if (there.ok) return
  const blob = await request(from, "GET", `blobs/${digest}`)
  const length = blob.headers.get("content-length")
  await sendBlob(to, digest, blob.body, length === null ? undefined : Number(length))
}

/** Copies everything attached to an image, and to the images of an index: SBOM, provenance, signature. */
export async function copyAttached(from: Access, to: Access, digest: string): Promise<void> {
  const images = new Set([digest, ...(await platformsOf(from, digest)).map(it => it.digest)])
  for (const image of images) {
    for (const kind of kinds) {
      const tag = tagOf(image, kind)
      const found = await readManifest(from, tag)
      if (found && !(await readManifest(to, tag))) await copyImage(from, to, found.digest, tag)
    }
  }
}
