import { type Aws, ecr } from "../aws/clients.js"
import { UserError } from "../lib/errors.js"

/** A repository as the OCI distribution API reaches it. */
export type Access = {
  /** `https://host`, or the endpoint that stands in for AWS. */
  base: string
  /** The repository's name. */
  name: string
  /** The `Authorization` header of this registry. */
  authorization: string
}

/** A manifest's parts that name other content, of an image or of an index (OCI image specification). */
type Manifest = {
  manifests?: { digest: string }[]
  config?: { digest: string }
  layers?: { digest: string; urls?: string[] }[]
}

const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ")

/** Seconds that one request may take; a layer can be large, and the way slow. */
const patience = 3600
/** How many layers are copied at a time. */
const atOnce = 4

/** How to reach a repository (ECR DescribeRepositories, GetAuthorizationToken). */
export async function accessTo(aws: Aws, repository: string): Promise<Access> {
  const client = await ecr(aws)
  const [{ repositories }, { authorizationData }] = await Promise.all([
    client.describeRepositories({ repositoryNames: [repository] }),
    client.getAuthorizationToken({}),
  ])
  const host = repositories?.[0]?.repositoryUri?.split("/", 1)[0]
  const token = authorizationData?.[0]?.authorizationToken ?? ""
  return { base: aws.endpoint ?? `https://${host}`, name: repository, authorization: `Basic ${token}` }
}

/**
 * Copies an image, or an index with all its images, to another registry as it is, so that its digest stays (OCI distribution
 * specification, "Pulling" and "Pushing"). What is there already is not sent again.
 *
 * @param tag the tag that it gets there
 * @throws UserError if one of the registries refuses
 */
export async function copyImage(from: Access, to: Access, digest: string, tag: string): Promise<void> {
  const pulled = await ask(from, "GET", `manifests/${digest}`, { headers: { accept: manifestTypes } })
  const type = pulled.headers.get("content-type") ?? ""
  const body = Buffer.from(await pulled.arrayBuffer())
  const { manifests = [], config, layers = [] } = JSON.parse(body.toString()) as Manifest
  for (const one of manifests) await copyImage(from, to, one.digest, one.digest)
  const blobs = [config, ...layers.filter(({ urls }) => !urls?.length)].flatMap(it => it?.digest ?? [])
  const waiting = [...new Set(blobs)]
  const work = async () => {
    for (let blob = waiting.shift(); blob !== undefined; blob = waiting.shift())
      await copyBlob(from, to, blob)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  await ask(to, "PUT", `manifests/${tag}`, { headers: { "content-type": type }, body })
}

async function copyBlob(from: Access, to: Access, digest: string): Promise<void> {
  const there = await ask(to, "HEAD", `blobs/${digest}`, {}, [404])
  if (there.ok) return
  const blob = await ask(from, "GET", `blobs/${digest}`)
  const length = blob.headers.get("content-length")
  const begun = await ask(to, "POST", "blobs/uploads/")
  const part = await ask(to, "PATCH", location(begun, to), {
    headers: { "content-type": "application/octet-stream", ...(length && { "content-length": length }) },
    body: blob.body,
    duplex: "half",
  })
  const end = new URL(location(part, to))
  end.searchParams.set("digest", digest)
  await ask(to, "PUT", end.href)
}

/** Where an upload goes on: on the registry's own host, which the login is for. */
function location(answer: Response, { base }: Access): string {
  const { pathname, search } = new URL(answer.headers.get("location") ?? "", base)
  const own = new URL(base)
  own.pathname = pathname
  own.search = search
  return own.href
}

/**
 * Sends a request to a registry. A redirect, such as ECR's to where it stores layers, is followed without the login.
 *
 * @param path below the repository, or a whole URL
 * @param fine codes besides those of success that are an answer too
 */
async function ask(
  { base, name, authorization }: Access,
  method: string,
  path: string,
  init: { headers?: Record<string, string>; body?: unknown; duplex?: "half" } = {},
  fine: number[] = [],
): Promise<Response> {
  const url = new URL(path.startsWith("http") ? path : `/v2/${name}/${path}`, base)
  const signal = AbortSignal.timeout(patience * 1000)
  const failed = (why: string) =>
    new UserError(
      `The registry ${url.host} refused ${method} ${name}/${path.replace(/^http.*/, "blobs/uploads")}.`,
      why,
      "The credentials need ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on the one repository, and the rights to push on the other. Run it again: what was copied stays.",
    )
  let answer: Response
  try {
    const headers = { ...init.headers, authorization }
    answer = await fetch(url, { ...init, method, headers, redirect: "manual", signal } as RequestInit)
    const elsewhere = answer.headers.get("location")
    if (answer.status >= 300 && answer.status < 400 && elsewhere) {
      answer = await fetch(new URL(elsewhere, url), { method, signal })
    }
  } catch (error) {
    throw failed(((error as Error).cause as Error | undefined)?.message ?? (error as Error).message)
  }
  if (answer.ok || fine.includes(answer.status)) return answer
  throw failed(`It answered ${answer.status}: ${(await answer.text()).slice(0, 500)}`)
}
