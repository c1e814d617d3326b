import { createHash } from "node:crypto"
import { type Aws, ecr } from "../aws/clients.js"
import { UserError } from "../lib/errors.js"
import { parseJson } from "../lib/json.js"
import { parseImage } from "./image.js"

/** A repository as the OCI distribution API reaches it. */
export type Access = {
  /** `https://host`, or the endpoint that replaces AWS. */
  base: string
  /** The repository's name. */
  name: string
  /** The repository's address without a tag. */
  uri: string
  /** The `Authorization` header of this registry. */
  authorization: string
}

/** A reference to other content (OCI image specification, "Descriptor"). */
export type Descriptor = {
  mediaType: string
  digest: string
  size: number
  urls?: string[]
  annotations?: Record<string, string>
  platform?: { os: string; architecture: string; variant?: string }
}

/** The parts of an image's manifest, or of an index, that name other content (OCI image specification). */
export type Manifest = {
  mediaType?: string
  artifactType?: string
  manifests?: Descriptor[]
  config?: Descriptor
  layers?: Descriptor[]
}

const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ")

/** Seconds that one request may take: a layer can be large, and the connection slow; everything else is small. */
const patience = { layer: 3600, other: 60 }
/** How often to try a request that can be repeated, and the seconds between attempts. */
const tries = 3
const pause = 1
/** The most bytes that something attached to an image may have: an SBOM is the largest. */
const attachedLimit = 64 * 1024 * 1024

/** How to reach a repository (ECR DescribeRepositories, GetAuthorizationToken). */
export async function accessTo(aws: Aws, repository: string): Promise<Access> {
  const [{ repositories }, authorization] = await Promise.all([
    (await ecr(aws)).describeRepositories({ repositoryNames: [repository] }),
    login(aws),
  ])
  return accessAt(aws, repositories?.[0]?.repositoryUri ?? "", repository, authorization)
}

/**
 * How to reach the repository that an image is in, which may be in another account (ECR GetAuthorizationToken: the login works for every
 * registry that the caller has access to).
 */
export async function accessToImage(aws: Aws, image: string): Promise<Access> {
  const { uri, repository, region = aws.region } = parseImage(image)
  return accessAt(aws, uri, repository, await login(aws.endpoint ? aws : { ...aws, region }))
}

async function login(aws: Aws): Promise<string> {
  const { authorizationData } = await (await ecr(aws)).getAuthorizationToken({})
  return `Basic ${authorizationData?.[0]?.authorizationToken ?? ""}`
}

function accessAt({ endpoint }: Aws, uri: string, name: string, authorization: string): Access {
  return { base: endpoint ?? `https://${uri.split("/", 1)[0]}`, name, uri, authorization }
}

/** A manifest as it is in the registry. */
export type Pulled = { digest: string; mediaType: string; body: Buffer; manifest: Manifest }

/**
 * Reads a manifest.
 *
 * @param reference a digest or a tag
 * @returns undefined if the repository has no such manifest
 * @throws UserError if the registry refuses, or if what it answers is not what the digest says
 */
export async function readManifest(from: Access, reference: string): Promise<Pulled | undefined> {
  const answer = await request(
    from,
    "GET",
    `manifests/${reference}`,
    { headers: { accept: manifestTypes } },
    [404],
  )
  if (answer.status === 404) return undefined
  const body = await bounded(from, answer)
  const digest = digestOf(body)
  if (reference.startsWith("sha256:") && reference !== digest) throw changed(from, reference)
  const mediaType = answer.headers.get("content-type") ?? ""
  return { digest, mediaType, body, manifest: (parseJson(body.toString()) ?? {}) as Manifest }
}

/**
 * Reads a blob that a manifest names.
 *
 * @throws UserError if the registry refuses, or if what it answers is not what the digest says
 */
export async function readBlob(from: Access, digest: string): Promise<Buffer> {
  const answer = await request(from, "GET", `blobs/${digest}`)
  const body = await bounded(from, answer)
  if (digestOf(body) !== digest) throw changed(from, digest)
  return body
}

/** An answer's body, if it is not too large to be what it should be. */
async function bounded({ name }: Access, answer: Response): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
    size += part.length
    if (size > attachedLimit) {
      throw new UserError(
        `What is attached to an image in ${name} is larger than ${attachedLimit / 1024 / 1024} MiB.`,
        "No SBOM, provenance or signature is that large.",
        "Check what is attached: oras discover",
      )
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** The images of an index, without anything that is not an image, such as provenance; none if it is not an index. */
export function imagesIn({ manifests = [] }: Manifest): Descriptor[] {
  return manifests.filter(({ platform }) => platform?.os !== "unknown")
}

function changed({ name }: Access, digest: string): UserError {
  return new UserError(
    `The content that the registry has under ${digest} in ${name} does not match.`,
    "It has a different digest: it was changed, or damaged.",
    "Do not use it. Release the commit under a new version.",
  )
}

/** Sends a blob, unless the repository has it. */
export async function pushBlob(to: Access, mediaType: string, body: Buffer): Promise<Descriptor> {
  const digest = digestOf(body)
  const descriptor = { mediaType, digest, size: body.length }
  const there = await request(to, "HEAD", `blobs/${digest}`, {}, [404])
  if (!there.ok) await sendBlob(to, digest, body, body.length)
  return descriptor
}

/** Sends a blob in one piece (OCI distribution specification, "Pushing a blob in chunks"). */
export async function sendBlob(to: Access, digest: string, body: unknown, length?: number): Promise<void> {
  const begun = await request(to, "POST", "blobs/uploads/")
  const part = await request(to, "PATCH", location(begun, to), {
    headers: {
      "content-type": "application/octet-stream",
      ...(length !== undefined && { "content-length": String(length) }),
    },
    body,
    duplex: "half",
  })
  const end = new URL(location(part, to))
  end.searchParams.set("digest", digest)
  await request(to, "PUT", end.href)
}

/** The digest of some content. */
export function digestOf(body: Buffer): string {
  return `sha256:${createHash("sha256").update(body).digest("hex")}`
}

/** The URL at which an upload continues: on the registry's own host, which the login is for. */
function location(answer: Response, { base }: Access): string {
  const { pathname, search } = new URL(answer.headers.get("location") ?? "", base)
  const own = new URL(base)
  own.pathname = pathname
  own.search = search
  return own.href
}

/**
 * Sends a request to a registry. A redirect, such as ECR's to its layer storage, is followed without the login.
 *
 * @param path below the repository, or a whole URL
 * @param fine status codes to accept besides those of success
 */
export async function request(
  { base, name, authorization }: Access,
  method: string,
  path: string,
  init: { headers?: Record<string, string>; body?: unknown; duplex?: "half" } = {},
  fine: number[] = [],
): Promise<Response> {
  const url = new URL(path.startsWith("http") ? path : `/v2/${name}/${path}`, base)
  const failed = (why: string) =>
    new UserError(
      `The registry ${url.host} refused ${method} ${name}/${path.replace(/^http.*/, "blobs/uploads")}.`,
      why,
      "The credentials need ecr:BatchGetImage and ecr:GetDownloadUrlForLayer to read, and the push permissions to write. Then run it again: what was already written stays.",
    )
  const once = async (): Promise<Response> => {
    const signal = AbortSignal.timeout(1000 * (path.includes("blobs/") ? patience.layer : patience.other))
    const headers = { ...init.headers, authorization }
    const answer = await fetch(url, { ...init, method, headers, redirect: "manual", signal } as RequestInit)
    const elsewhere = answer.headers.get("location")
    if (answer.status < 300 || answer.status >= 400 || !elsewhere) return answer
    return fetch(new URL(elsewhere, url), { method, signal })
  }
  // A stream can be sent once.
  const canRepeat = init.body === undefined || Buffer.isBuffer(init.body)
  for (let left = canRepeat && method !== "PATCH" ? tries : 1; ; left--) {
    try {
      const answer = await once()
      if (answer.ok || fine.includes(answer.status)) return answer
      const passing = answer.status === 429 || answer.status >= 500
      if (!passing || left <= 1)
        throw failed(`It answered ${answer.status}: ${(await answer.text()).slice(0, 500)}`)
    } catch (error) {
      if (error instanceof UserError) throw error
      if (left <= 1)
        throw failed(((error as Error).cause as Error | undefined)?.message ?? (error as Error).message)
    }
    await new Promise(resolve => setTimeout(resolve, pause * 1000))
  }
}
