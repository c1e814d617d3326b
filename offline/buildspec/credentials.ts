import { randomUUID } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** Temporary credentials of a role. */
export interface RoleCredentials {
  /** The role's ARN. */
  role: string
  id: string
  secret: string
  token: string
}

/**
 * Serves a build's role credentials as http://169.254.170.2 does in CodeBuild. That address would have to be this
 * machine's; on loopback instead, the same path is told by AWS_CONTAINER_CREDENTIALS_FULL_URI, which AWS's tools know too.
 */
export async function serveCredentials(given: RoleCredentials) {
  const path = `/v2/credentials/${randomUUID()}`
  const body = JSON.stringify({
    RoleArn: given.role,
    AccessKeyId: given.id,
    SecretAccessKey: given.secret,
    Token: given.token,
    Expiration: new Date(Date.now() + 3600_000).toISOString(),
  })
  const server = createServer((request, response) => {
    const found = request.method === "GET" && request.url === path
    response.writeHead(found ? 200 : 404, { "Content-Type": "application/json" })
    response.end(found ? body : '{"code":"NoIdInRequest","message":"no such credentials"}')
  })
  await new Promise<void>(done => server.listen(0, "127.0.0.1", done))
  const { port } = server.address() as AddressInfo
  return {
    /** How AWS's tools find it. */
    variables: {
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: path,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}${path}`,
    },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
