import type { KeyObject } from "node:crypto"
import type { Layer } from "../ecr/referrers.js"
import { parseJson } from "../lib/json.js"
import { type SigningKey, verified } from "./key.js"

// The layout of cosign (its specification "SIGNATURE_SPEC.md"): a small payload that names the image's digest is signed, and the
// signature is a note on the layer that holds it.

/** The type of the manifest by which cosign finds signatures among referrers. */
export const signatureArtifact = "application/vnd.dev.cosign.artifact.sig.v1+json"
export const payloadType = "application/vnd.dev.cosign.simplesigning.v1+json"
export const signatureNote = "dev.cosignproject.cosign/signature"

/**
 * Signs an image.
 *
 * @param name the repository's address
 * @param notes what else the payload says
 */
export async function signImage(
  name: string,
  digest: string,
  notes: Record<string, string>,
  { sign }: SigningKey,
): Promise<Layer> {
  const critical = {
    identity: { "docker-reference": name },
    image: { "docker-manifest-digest": digest },
    type: "cosign container image signature",
  }
  const body = Buffer.from(JSON.stringify({ critical, optional: notes }))
  const annotations = { [signatureNote]: (await sign(body)).toString("base64") }
  return { mediaType: payloadType, body, annotations }
}

/** Whether a key has signed a payload, and it is about the image with this digest. */
export function isSignatureOf(payload: Buffer, signature: unknown, digest: string, key: KeyObject): boolean {
  if (typeof signature !== "string" || !verified(key, payload, Buffer.from(signature, "base64"))) return false
  const { critical } = (parseJson(payload.toString()) ?? {}) as {
    critical?: { type?: string; image?: { "docker-manifest-digest"?: string } }
  }
  return (
    critical?.type === "cosign container image signature" &&
    critical.image?.["docker-manifest-digest"] === digest
  )
}
