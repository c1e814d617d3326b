import { UserError } from "../lib/errors.js"
import {
  type Access,
  type Descriptor,
  imagesIn,
  type Manifest,
  pushBlob,
  readManifest,
  request,
} from "./distribution.js"

/** The kinds of attachments to an image, each named like the end of its tag: `sha256-….sig` is the signature of the image `sha256:…`. */
export type Kind = "sig" | "att" | "sbom" | "intoto"

/** All kinds. The first two are those of cosign. */
export const kinds: Kind[] = ["sig", "att", "sbom", "intoto"]

/** Some content, and what it is. */
export type Layer = { mediaType: string; body: Buffer; annotations?: Record<string, string> }

/**
 * The tag under which something is attached to an image. The tag keeps lifecycle policies from expiring it as an untagged image, and
 * lets clients find it that do not support referrers.
 */
export function tagOf(digest: string, kind: Kind): string {
  return `${digest.replace(":", "-")}.${kind}`
}

/**
 * Attaches content to an image as a referrer: a manifest with the image as its subject (OCI image specification 1.1, "Guidelines for
 * Artifact Usage"). If it is attached already, nothing changes: another run was quicker.
 *
 * @param digest the image, or the image index
 * @param make makes the content; called only if nothing of that kind is attached
 * @throws UserError if the image is not there, or the registry refuses
 */
export async function attach(
  to: Access,
  digest: string,
  kind: Kind,
  artifactType: string,
  make: () => Layer[] | Promise<Layer[]>,
): Promise<void> {
  const tag = tagOf(digest, kind)
  if (await readManifest(to, tag)) return
  const [layers, subject] = await Promise.all([make(), subjectOf(to, digest)])
  const pushed = await Promise.all(
    layers.map(async ({ mediaType, body, annotations }) => ({
      ...(await pushBlob(to, mediaType, body)),
      ...(annotations && { annotations }),
    })),
  )
  // cosign, when it adds a signature of its own, expects an image configuration with a line for each layer.
  const config = Buffer.from(
    JSON.stringify({
      architecture: "",
      os: "",
      config: {},
      rootfs: { type: "layers", diff_ids: pushed.map(it => it.digest) },
    }),
  )
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType,
    config: await pushBlob(to, "application/vnd.oci.image.config.v1+json", config),
    layers: pushed,
    subject,
  }
  await putManifest(to, tag, Buffer.from(JSON.stringify(manifest)))
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

async function putManifest(to: Access, tag: string, body: Buffer): Promise<void> {
  const init = { headers: { "content-type": manifestType }, body }
  try {
    await request(to, "PUT", `manifests/${tag}`, init)
  } catch (error) {
    // The tag is immutable, and another run of the same commit was quicker.
    if (!(await readManifest(to, tag))) throw error
  }
}

async function subjectOf(to: Access, digest: string): Promise<Descriptor> {
  const image = await readManifest(to, digest)
  if (image) return { mediaType: image.mediaType, digest, size: image.body.length }
  throw new UserError(
    `The ECR repository "${to.name}" has no ${digest}.`,
    "",
    "'history' shows the versions that are there.",
  )
}

/** The manifest of one kind that is attached to an image; undefined if there is none. */
export async function attached(from: Access, digest: string, kind: Kind): Promise<Manifest | undefined> {
  return (await readManifest(from, tagOf(digest, kind)))?.manifest
}

/** The images of an index, each with its platform, or the image itself if it is not an index. Provenance and the like are left out. */
export async function platformsOf(
  from: Access,
  digest: string,
): Promise<{ digest: string; platform?: string }[]> {
  const images = imagesIn((await readManifest(from, digest))?.manifest ?? {})
  if (images.length === 0) return [{ digest }]
  return images.map(({ digest, platform }) => ({
    digest,
    platform: platform && [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/"),
  }))
}
