import { spawn } from "node:child_process"
import { timingSafeEqual } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { createGunzip } from "node:zlib"

/**
 * The requests of git's smart protocol, as git sends them; the repository is a folder in the root. Everything else is refused before
 * it is used: no other path means anything here, so none needs to be decoded.
 */
const REQUESTS = {
  GET: /^(\/[\w.-]+\.git\/info\/refs)\?(service=git-(?:upload|receive)-pack)$/,
  POST: /^(\/[\w.-]+\.git\/git-(?:upload|receive)-pack)$/,
}

/**
 * The git remote's server: git's own http-backend behind a password. Started as a separate process with
 * `GIT_ROOT` (the directory of bare repositories), `GIT_TOKEN` and `GIT_PORT` in its environment; loopback only.
 */
function main(): void {
  const { GIT_ROOT = "", GIT_TOKEN = "", GIT_PORT = "0" } = process.env
  const server = createServer((request, response) => {
    if (request.url === "/health") response.end("ok\n")
    else if (hasToken(request, GIT_TOKEN)) serve(GIT_ROOT, request, response)
    else {
      response.setHeader("WWW-Authenticate", 'Basic realm="git"')
      refuse(response, 401, "the token is missing or wrong")
    }
  })
  server.listen(Number(GIT_PORT), "127.0.0.1")
  process.once("SIGTERM", () => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
    setTimeout(() => process.exit(0), 2000).unref()
  })
}

/** True when the request carries the token as the password of Basic authentication, under any user name. */
function hasToken(request: IncomingMessage, token: string): boolean {
  const [scheme = "", encoded = ""] = (request.headers.authorization ?? "").split(" ")
  if (scheme.toLowerCase() !== "basic") return false
  const pair = Buffer.from(encoded, "base64").toString()
  const given = Buffer.from(pair.slice(pair.indexOf(":") + 1))
  const wanted = Buffer.from(token)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

/** Runs git http-backend for one request by the rules of CGI (RFC 3875). */
function serve(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { method = "", url = "" } = request
  if (method !== "GET" && method !== "POST") {
    refuse(response, 405, "git uses only GET and POST")
    return
  }
  const [, path, query = ""] = REQUESTS[method].exec(url) ?? []
  if (path === undefined) {
    refuse(response, 404, "not a request of git's smart protocol")
    return
  }
  const backend = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_SYSTEM: "/dev/null",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      REQUEST_METHOD: method,
      PATH_INFO: path,
      QUERY_STRING: query,
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      REMOTE_USER: "pipeline",
      REMOTE_ADDR: "127.0.0.1",
    },
    stdio: ["pipe", "pipe", "inherit"],
  })
  // git compresses bigger request bodies; unpacked here, their length is not known beforehand, which the backend allows.
  const body = request.headers["content-encoding"] === "gzip" ? request.pipe(createGunzip()) : request
  body.on("error", () => {
    refuse(response, 400, "the body does not match its Content-Encoding")
    backend.kill()
  })
  backend.stdin.on("error", () => {}) // the backend may answer without reading all
  body.pipe(backend.stdin)
  backend.once("error", () => refuse(response, 500, "git is not installed"))
  response.once("close", () => backend.kill())
  relay(backend.stdout, response)
}

/** Answers with a reason, unless an answer has begun. */
function refuse(response: ServerResponse, status: number, reason: string): void {
  if (response.headersSent) return
  response.writeHead(status, { "Content-Type": "text/plain" }).end(`${reason}\n`)
}

/** Takes the CGI header off the backend's output and passes the rest on. */
function relay(output: NodeJS.ReadableStream, response: ServerResponse): void {
  let head = Buffer.alloc(0)
  output.on("data", (chunk: Buffer) => {
    if (response.writableEnded) return
    if (response.headersSent) {
      if (!response.write(chunk)) output.pause()
      return
    }
    head = Buffer.concat([head, chunk])
    const end = head.indexOf("\r\n\r\n")
    if (end < 0) return
    let status = 200
    for (const line of head.subarray(0, end).toString("latin1").split("\r\n")) {
      const colon = line.indexOf(":")
      const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()]
      if (name.toLowerCase() === "status") status = Number.parseInt(value, 10)
      else response.setHeader(name, value)
    }
    response.writeHead(status)
    response.write(head.subarray(end + 4))
  })
  response.on("drain", () => output.resume())
  output.once("end", () => {
    refuse(response, 502, "git gave no answer")
    response.end()
  })
}

main()
