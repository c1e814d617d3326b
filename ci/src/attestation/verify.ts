import type { KeyObject } from "node:crypto"
import { type Access, readBlob } from "../ecr/distribution.js"
import { attached } from "../ecr/referrers.js"
import { UserError } from "../lib/errors.js"
import { partsOf } from "../lib/list.js"
import { type Expected, mismatch, provenanceType } from "./provenance.js"
import { isSignatureOf, payloadType, signatureNote } from "./signature.js"
import { envelopeType, isAbout, opened } from "./statement.js"

/** What can be required of an image before it is deployed. */
export type Requirement = "signature" | "provenance"

/**
 * Reads the argument `--require`.
 *
 * @throws UserError for anything other than signature and provenance, separated by commas
 */
export function parseRequire(text: string): Requirement[] {
  return partsOf(text).map(part => {
    if (part === "signature" || part === "provenance") return part
    throw new UserError(
      `--require does not accept ${JSON.stringify(part.slice(0, 100))}.`,
      "",
      "It must be signature, provenance, or both, separated by a comma.",
    )
  })
}

/** An image that has to pass a check. */
export type Asked = { name: string; digest: string }

/**
 * Refuses an image that the key has not signed.
 *
 * @throws UserError if it has no signature by this key for this digest
 */
export async function requireSignature(from: Access, { name, digest }: Asked, key: KeyObject): Promise<void> {
  const manifest = await attached(from, digest, "sig")
  const layers = (manifest?.layers ?? []).filter(({ mediaType }) => mediaType === payloadType)
  if (layers.length === 0) throw unsigned(name, "signature")
  for (const layer of layers) {
    const payload = await readBlob(from, layer.digest)
    if (isSignatureOf(payload, layer.annotations?.[signatureNote], digest, key)) return
  }
  throw byAnother(name, "signature")
}

/**
 * Refuses an image that has no provenance signed by the key, or whose provenance does not say what is expected.
 *
 * @throws UserError with what is missing, or what differs
 */
export async function requireProvenance(
  from: Access,
  { name, digest }: Asked,
  key: KeyObject,
  expected: Expected,
): Promise<void> {
  const manifest = await attached(from, digest, "att")
  const layers = (manifest?.layers ?? []).filter(
    ({ mediaType, annotations }) =>
      mediaType === envelopeType && (annotations?.predicateType ?? provenanceType) === provenanceType,
  )
  if (layers.length === 0) throw unsigned(name, "provenance")
  let signed = false
  let why: string | undefined
  for (const layer of layers) {
    const statement = opened(await readBlob(from, layer.digest), key)
    if (statement?.predicateType !== provenanceType) continue
    signed = true
    why = isAbout(statement, digest)
      ? mismatch(statement.predicate, expected)
      : "It is about another image: its subject has another digest."
    if (why === undefined) return
  }
  if (!signed) throw byAnother(name, "provenance")
  throw new UserError(
    `${name} is not deployed: its provenance does not meet --require provenance.`,
    why,
    "Deploy an image that was released from this repository and its release branch; --git-remote and --branch say which those are.",
  )
}

function unsigned(name: string, what: Requirement): UserError {
  return new UserError(
    `${name} is not deployed: it has no ${what === "signature" ? "signature" : "signed provenance"}.`,
    "--require asks for it, and nothing of that kind is attached to the image in its repository.",
    "Release with --signing-key, which signs each image that it pushes; or deploy without --require.",
  )
}

function byAnother(name: string, what: Requirement): UserError {
  return new UserError(
    `${name} is not deployed: its ${what} was not made by the key that --signing-key names.`,
    "It was signed by another key, or changed after it was signed.",
    "Check --signing-key. If it is right, do not trust the image: release its commit under a new version.",
  )
}
