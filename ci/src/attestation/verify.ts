import type { KeyObject } from "node:crypto"
import { type Access, readBlob } from "../ecr/distribution.js"
import { attached } from "../ecr/referrers.js"
import { UserError } from "../lib/errors.js"
import { partsOf } from "../lib/list.js"
import { type Expected, mismatch, provenanceType } from "./provenance.js"
import { isSignatureOf, payloadType, signatureNote } from "./signature.js"
import { envelopeType, isAbout, opened } from "./statement.js"

/** What can be asked of an image before it is deployed. */
export type Requirement = "signature" | "provenance"

/**
 * Reads the argument `--require`.
 *
 * @throws UserError for anything else than signature and provenance, with commas
 */
export function parseRequire(text: string): Requirement[] {
  return partsOf(text).map(part => {
    if (part === "signature" || part === "provenance") return part
    throw new UserError(
      `--require does not take ${JSON.stringify(part.slice(0, 100))}.`,
      "",
      "It takes signature, provenance, or both with a comma.",
    )
  })
}

/** An image that something is asked of. */
export type Asked = { name: string; digest: string }

/**
 * Refuses an image that the key has not signed.
 *
 * @throws UserError if it has no signature, or none by this key for this digest
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
 * Refuses an image without provenance that the key has signed, or whose provenance says something else than what is expected.
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
    `${name} is not deployed: its provenance is not what --require provenance asks for.`,
    why,
    "Deploy an image that this repository's release branch made; --branch and --git-remote say which those are.",
  )
}

function unsigned(name: string, what: Requirement): UserError {
  return new UserError(
    `${name} is not deployed: it has no ${what === "signature" ? "signature" : "signed provenance"}.`,
    "--require asks for it, and nothing of the kind is attached to the image in its repository.",
    "Release with --signing-key, which signs what it pushes; or deploy without --require.",
  )
}

function byAnother(name: string, what: Requirement): UserError {
  return new UserError(
    `${name} is not deployed: its ${what} is not by the key that --signing-key names.`,
    "It was signed by another key, or changed after it was signed.",
    "Check --signing-key. If it is right, do not trust the image: release its commit under a new version.",
  )
}
