import { Agent, request as httpRequest, type IncomingMessage } from "node:http"
import type { Duplex, Readable } from "node:stream"
import type { DockerTarget } from "../machine/docker.js"
import { daemonAddress } from "../machine/dockerd.js"

/** An error response from the Docker daemon. */
export class DockerError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

interface Call {
  query?: Record<string, string | number | boolean>
  headers?: Record<string, string>
  /** Sent as JSON. */
  json?: unknown
  /** Sent as it comes, as a tar archive. */
  tar?: Readable
}

/** The part of the Docker Engine API (1.41, that of 20.10) that sessions use, over a socket or plain TCP. */
export class DockerApi {
  private readonly where: ReturnType<typeof daemonAddress>
  private readonly agent = new Agent({ keepAlive: true })

  constructor(readonly target: DockerTarget) {
    this.where = daemonAddress(target.host)
  }

  /** Sends a request; gives the response once its head is there. Throws DockerError on a status of 400 or more. */
  async open(method: string, path: string, call: Call = {}): Promise<IncomingMessage> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = this.request(method, path, call, this.agent)
      request.once("response", resolve).once("error", reject)
      if (call.tar) call.tar.once("error", error => request.destroy(error)).pipe(request)
      else request.end(call.json === undefined ? undefined : JSON.stringify(call.json))
    })
    if ((response.statusCode ?? 500) < 400) return response
    const text = (await readAll(response)).toString()
    throw new DockerError(response.statusCode ?? 500, messageOf(text))
  }

  /** Sends a request and reads the JSON it answers with. */
  // biome-ignore lint/suspicious/noExplicitAny: the daemon's answers have no types here
  async json(method: string, path: string, call: Call = {}): Promise<any> {
    const text = (await readAll(await this.open(method, path, call))).toString()
    return text === "" ? undefined : JSON.parse(text)
  }

  /** As `json`, but undefined if there is no such object. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async find(path: string): Promise<any> {
    return this.json("GET", path).catch(error => {
      if (error instanceof DockerError && error.status === 404) return undefined
      throw error
    })
  }

  /**
   * Runs a request that answers with a stream of JSON lines, as load and push do. Gives the lines; throws the error one
   * of them holds.
   */
  async lines(method: string, path: string, call: Call = {}): Promise<Record<string, unknown>[]> {
    const text = (await readAll(await this.open(method, path, call))).toString()
    const lines = text.split("\n").filter(line => line.trim() !== "")
    const answers = lines.map(line => JSON.parse(line) as Record<string, unknown>)
    const failed = answers.find(line => typeof line.error === "string")
    if (failed) throw new DockerError(500, failed.error as string)
    return answers
  }

  /** Attaches to a container's streams: what is written goes to its standard input, what is read is in frames. */
  attach(container: string, stdin: boolean): Promise<Duplex> {
    const query = { stream: true, stdin, stdout: true, stderr: true }
    const headers = { Connection: "Upgrade", Upgrade: "tcp" }
    return new Promise((resolve, reject) => {
      const request = this.request("POST", `/containers/${container}/attach`, { query, headers })
      request.once("error", reject).once("response", response => {
        readAll(response).then(
          body => reject(new DockerError(response.statusCode ?? 500, messageOf(`${body}`))),
          reject,
        )
      })
      request.once("upgrade", (_, socket, head) => {
        if (head.length > 0) socket.unshift(head)
        resolve(socket)
      })
      request.end()
    })
  }

  /** Closes idle connections. */
  close(): void {
    this.agent.destroy()
  }

  private request(method: string, path: string, call: Call, agent?: Agent) {
    const query = new URLSearchParams(
      Object.entries(call.query ?? {}).map(([name, value]) => [name, `${value}`] as [string, string]),
    )
    const type = call.tar ? "application/x-tar" : "application/json"
    const body = call.tar || call.json !== undefined ? { "content-type": type } : {}
    return httpRequest({
      ...this.where,
      method,
      path: `/v1.41${path}?${query}`,
      headers: { ...body, ...call.headers },
      ...(agent ? { agent } : { agent: false }),
    })
  }
}

/** Everything a stream has to say. */
export async function readAll(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

/**
 * Splits an attached container's stream (8 bytes of head: the stream's number, three zeros, the length) and hands on
 * each part, until it ends.
 */
export async function readFrames(
  stream: Readable,
  take: (from: "stdout" | "stderr", part: Buffer) => void,
): Promise<void> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of stream) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
    while (rest.length >= 8 && rest.length >= 8 + rest.readUInt32BE(4)) {
      const end = 8 + rest.readUInt32BE(4)
      take(rest[0] === 2 ? "stderr" : "stdout", rest.subarray(8, end))
      rest = rest.subarray(end)
    }
  }
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { message: string }).message
  } catch {
    return text.trim()
  }
}
