import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto"
import { type Aws, kms } from "../aws/clients.js"
import { explained } from "../aws/errors.js"
import { UserError } from "../lib/errors.js"
import type { Settings } from "../settings.js"

/** A key in AWS KMS that signs images. */
export type SigningKey = {
  /** Its ARN. */
  arn: string
  publicKey: KeyObject
  /** Signs bytes: ECDSA over their SHA-256, as DER. */
  sign: (bytes: Buffer) => Promise<Buffer>
  /** Finds out whether the caller may sign (KMS Sign, DryRun). */
  check: () => Promise<void>
}

/** The parts of a reference to a key, as cosign writes it: `awskms://[HOST]/ID`, with an id, an alias or an ARN of either. */
type Reference = { endpoint?: string; id: string; region?: string }

/** Whether a text looks like a reference to a key. */
export function isKeyReference(text: string): boolean {
  return parseReference(text) !== undefined
}

function parseReference(text: string): Reference | undefined {
  const [, host = "", id = ""] = /^awskms:\/\/([^/]*)\/(.+)$/.exec(text) ?? []
  const uuid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}"
  const arn = new RegExp(`^arn:aws[a-z-]*:kms:([a-z0-9-]+):\\d{12}:(?:key/(?:${uuid})|alias/[\\w/-]+)$`)
  const region = arn.exec(id)?.[1]
  if (region === undefined && !new RegExp(`^(?:${uuid}|alias/[\\w/-]+)$`).test(id)) return undefined
  // Another host must not see what is signed, and with which credentials.
  if (
    host !== "" &&
    !/^(kms(-fips)?|vpce-[a-z0-9-]+\.kms)\.[a-z0-9-]+\.(vpce\.)?amazonaws\.com(\.cn)?$/.test(host)
  )
    return undefined
  return { id, region, endpoint: host === "" ? undefined : `https://${host}` }
}

/**
 * Opens a key (KMS GetPublicKey).
 *
 * @param reference as cosign writes it, such as `awskms:///alias/release`
 * @throws UserError if there is no such key, or if it is not a NIST P-256 signing key
 */
export async function openKey(aws: Aws, reference: string): Promise<SigningKey> {
  const found = parseReference(reference)
  if (!found) throw new Error(`not validated: ${reference}`)
  const { id, region = aws.region, endpoint = aws.endpoint } = found
  const place = aws.endpoint ? { ...aws, region } : { ...aws, region, endpoint }
  const client = await kms(place)
  const asked = await explained(place, async () => {
    try {
      return await client.getPublicKey({ KeyId: id })
    } catch (error) {
      throw keyError(error, id, region)
    }
  })
  const { KeySpec, KeyUsage, PublicKey, KeyId: arn = id } = asked
  if (KeySpec !== "ECC_NIST_P256" || KeyUsage !== "SIGN_VERIFY" || !PublicKey) {
    throw new UserError(
      `The key ${id} has the key spec ${KeySpec} and is for ${KeyUsage}.`,
      "Images are signed with ECDSA over SHA-256, as cosign does by default.",
      "Use an ECC_NIST_P256 key for SIGN_VERIFY: aws kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY",
    )
  }
  const publicKey = createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" })
  const how = { MessageType: "DIGEST", SigningAlgorithm: "ECDSA_SHA_256" } as const
  const sign = (bytes: Buffer) =>
    explained(place, async () => {
      const Message = createHash("sha256").update(bytes).digest()
      try {
        const { Signature } = await client.sign({ KeyId: arn, Message, ...how })
        return Buffer.from(Signature ?? [])
      } catch (error) {
        throw keyError(error, id, region)
      }
    })
  const check = () =>
    explained(place, async () => {
      const Message = createHash("sha256").digest()
      try {
        await client.sign({ KeyId: arn, Message, ...how, DryRun: true })
      } catch (error) {
        if ((error as Error).name !== "DryRunOperationException") throw keyError(error, id, region)
      }
    })
  return { arn, publicKey, sign, check }
}

function keyError(error: unknown, id: string, region: string): unknown {
  const { name, message } = error as Error
  if (!/^(NotFoundException|DisabledException|KMSInvalidStateException|InvalidKeyUsageException)$/.test(name))
    return error
  return new UserError(
    name === "NotFoundException" ? `There is no key ${id} in ${region}.` : `The key ${id} cannot be used.`,
    message,
    `See 'aws kms describe-key --key-id ${id} --region ${region}', or set --signing-key to another one.`,
  )
}

/** Whether a key has signed bytes: ECDSA over their SHA-256. */
export function verified(key: KeyObject, bytes: Buffer, signature: Buffer): boolean {
  try {
    return verify("sha256", bytes, key, signature)
  } catch {
    return false
  }
}

/**
 * Opens the signing key, if there is one, and makes sure that the caller may sign, before a version is claimed. With an AWS Signer
 * profile, ECR signs by itself.
 */
export async function openSigningKey(aws: Aws, settings: Settings): Promise<SigningKey | undefined> {
  if (!settings.signingKey.startsWith("awskms:")) return undefined
  const key = await openKey(aws, settings.signingKey)
  await key.check()
  return key
}
