import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ensureDocker } from "../machine/docker.js"
import { resolveImage } from "../machine/images.js"
import { DockerApi } from "../session/docker.js"
import { forgetSessions, type RunningSession, type SessionOptions, startSession } from "../session/server.js"

/** The image that tests build on. */
export const BASE = "debian:bookworm-slim"

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  data?: any
  errors?: { message: string; extensions?: Record<string, unknown>; locations?: unknown }[]
}

export interface Asked extends RunningSession {
  /** The session's progress so far. */
  lines: string[]
  /** Sends a query; gives the answer, errors in it. */
  ask(query: string): Promise<Answer>
  /** Sends a query and gives its only plain value. Throws its error. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  leaf(query: string): Promise<any>
}

const states: string[] = []

/** A state directory of its own, removed by `removeStates` with what its sessions keep in Docker. */
export function newState(): string {
  const dir = mkdtempSync(join(tmpdir(), "session-test-"))
  states.push(dir)
  return dir
}

export async function removeStates(): Promise<void> {
  for (const dir of states.splice(0)) {
    await forgetSessions(await dockerTarget(), dir)
    rmSync(dir, { recursive: true, force: true })
  }
}

let docker: ReturnType<typeof ensureDocker> | undefined

/** The Docker daemon that tests use: found once, so that what stands in for an image is said once. */
export function dockerTarget() {
  docker ??= ensureDocker(() => {})
  return docker
}

/** A name that the daemon knows that image by. */
export async function base(): Promise<string> {
  return resolveImage(await dockerTarget(), BASE, () => {})
}

export async function dockerApi(): Promise<DockerApi> {
  return new DockerApi(await dockerTarget())
}

/** Starts a session as the command line does. */
export async function start(stateDir: string, options: Partial<SessionOptions> = {}): Promise<Asked> {
  const docker = await dockerTarget()
  const lines: string[] = []
  const log = (line: string) => void lines.push(line)
  const resolve = (reference: string) => resolveImage(docker, reference, log)
  const running = await startSession({ docker, stateDir, resolveImage: resolve, log, ...options })
  const ask = (query: string) => post(running, query)
  const leaf = async (query: string) => only(await ask(query))
  return { ...running, lines, ask, leaf }
}

async function post({ port, token }: RunningSession, query: string): Promise<Answer> {
  const authorization = `Basic ${Buffer.from(`${token}:`).toString("base64")}`
  const body = JSON.stringify({ query })
  const response = await fetch(`http://127.0.0.1:${port}/query`, {
    method: "POST",
    headers: { authorization },
    body,
  })
  return (await response.json()) as Answer
}

function only(answer: Answer): unknown {
  const [error] = answer.errors ?? []
  if (error) throw Object.assign(new Error(error.message), { extensions: error.extensions })
  let value: unknown = answer.data
  while (value !== null && typeof value === "object" && !Array.isArray(value)) value = Object.values(value)[0]
  return value
}
