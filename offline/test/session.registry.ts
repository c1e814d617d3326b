import { createHash, randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { readAll } from "../session/docker.js"

export interface Registry {
  /** host:port */
  address: string
  /** Manifests by `repository:tag`, as they were put. */
  manifests: Map<string, Buffer>
  blobs: Map<string, Buffer>
  close(): void
}

/** An image registry in memory, over plain HTTP; with a login, every request must send it. */
export async function startRegistry(login?: { username: string; password: string }): Promise<Registry> {
  const manifests = new Map<string, Buffer>()
  const blobs = new Map<string, Buffer>()
  const uploads = new Map<string, Buffer>()
  const expected = login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`

  const server = createServer(async (request, response) => {
    response.setHeader("Docker-Distribution-API-Version", "registry/2.0")
    if (expected && request.headers.authorization !== expected) {
      return end(response, 401, { "WWW-Authenticate": 'Basic realm="test"' })
    }
    const url = new URL(request.url ?? "/", "http://registry")
    const [, name = "", kind = "", ref = ""] =
      /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs)\/(.*)$/.exec(url.pathname) ?? []
    if (kind === "manifests") return manifest(request, response, name, ref)
    if (kind === "blobs/uploads") return upload(request, response, url, name, ref)
    if (kind === "blobs") return give(request, response, blobs.get(ref), ref, "application/octet-stream")
    return end(response, 200)
  })

  async function manifest(request: IncomingMessage, response: ServerResponse, name: string, ref: string) {
    if (request.method === "PUT") {
      const body = await readAll(request)
      manifests.set(`${name}:${ref}`, body)
      manifests.set(`${name}:${digestOf(body)}`, body)
      return end(response, 201, { "Docker-Content-Digest": digestOf(body) })
    }
    const body = manifests.get(`${name}:${ref}`)
    const type = body && JSON.parse(body.toString()).mediaType
    return give(request, response, body, body ? digestOf(body) : "", type)
  }

  async function upload(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    name: string,
    ref: string,
  ) {
    const id = ref || randomUUID()
    const body = Buffer.concat([uploads.get(id) ?? Buffer.alloc(0), await readAll(request)])
    uploads.set(id, body)
    const digest = url.searchParams.get("digest")
    if (request.method === "PUT" && digest) {
      blobs.set(digest, body)
      return end(response, 201, { Location: `/v2/${name}/blobs/${digest}`, "Docker-Content-Digest": digest })
    }
    const range = `0-${Math.max(0, body.length - 1)}`
    return end(response, 202, {
      Location: `/v2/${name}/blobs/uploads/${id}`,
      Range: range,
      "Docker-Upload-UUID": id,
    })
  }

  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  return { address, manifests, blobs, close }
}

function give(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer | undefined,
  digest: string,
  type: string,
) {
  if (!body) {
    const errors = [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }]
    return end(response, 404, { "content-type": "application/json" }, JSON.stringify({ errors }))
  }
  const headers = {
    "content-type": type,
    "content-length": `${body.length}`,
    "Docker-Content-Digest": digest,
  }
  return end(response, 200, headers, request.method === "HEAD" ? undefined : body)
}

function end(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
  body?: string | Buffer,
) {
  response.writeHead(status, headers).end(body)
}

function digestOf(body: Buffer): string {
  return `sha256:${createHash("sha256").update(body).digest("hex")}`
}
