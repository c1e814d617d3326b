import type { KeyObject } from "node:crypto"
import { parseJson } from "../lib/json.js"
import { verified } from "./key.js"

/** A statement about images (in-toto attestation framework 1.1, "Statement"). */
export type Statement = {
  _type: "https://in-toto.io/Statement/v1"
  subject: { name: string; digest: { sha256: string } }[]
  predicateType: string
  predicate: unknown
}

/** A signed statement (DSSE 1.0.0, "Envelope"). */
export type Envelope = { payloadType: string; payload: string; signatures: { keyid: string; sig: string }[] }

/** Media types (in-toto attestation framework, "Bundle" and OCI conventions of cosign and BuildKit). */
export const statementType = "application/vnd.in-toto+json"
export const envelopeType = "application/vnd.dsse.envelope.v1+json"

/** Makes a statement about the image with a digest. */
export function statementOf(
  name: string,
  digest: string,
  predicateType: string,
  predicate: unknown,
): Statement {
  const subject = [{ name, digest: { sha256: digest.replace("sha256:", "") } }]
  return { _type: "https://in-toto.io/Statement/v1", subject, predicateType, predicate }
}

/** The bytes of a statement that are signed: its pre-authentication encoding (DSSE 1.0.0, "Signature Definition"). */
function encoded(type: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload])
}

/** Signs a statement. */
export async function sealed(
  statement: Statement,
  sign: (bytes: Buffer) => Promise<Buffer>,
): Promise<Envelope> {
  const payload = Buffer.from(JSON.stringify(statement))
  const sig = (await sign(encoded(statementType, payload))).toString("base64")
  return { payloadType: statementType, payload: payload.toString("base64"), signatures: [{ keyid: "", sig }] }
}

/**
 * The statement in an envelope that a key has signed.
 *
 * @returns undefined if the key has not signed it as it is
 */
export function opened(body: Buffer, key: KeyObject): Statement | undefined {
  const { payloadType, payload, signatures } = (parseJson(body.toString()) ?? {}) as Partial<
    Record<keyof Envelope, unknown>
  >
  if (typeof payloadType !== "string" || typeof payload !== "string" || !Array.isArray(signatures))
    return undefined
  const content = Buffer.from(payload, "base64")
  const bytes = encoded(payloadType, content)
  const isSigned = signatures.some(
    it => typeof it?.sig === "string" && verified(key, bytes, Buffer.from(it.sig, "base64")),
  )
  return isSigned && payloadType === statementType ? (parseJson(content.toString()) as Statement) : undefined
}

/** Whether a statement is about the image with a digest. */
export function isAbout({ subject }: Statement, digest: string): boolean {
  return Array.isArray(subject) && subject.some(it => `sha256:${it?.digest?.sha256}` === digest)
}
