import { type Container, dag, type Platform } from "@dagger.io/dagger"
import { parseArgs } from "./dockerfile.js"

/** The part of dockerfile-ast that is used. */
type Parser = {
  DockerfileParser: { parse(text: string): Dockerfile }
}
type Instruction = { getVariables(): { getName(): string }[]; getInstruction(): string }
type From = Instruction & { getImage(): string | null; getBuildStage(): string | null }
type Copy = Instruction & { getFromFlag(): { getValue(): string | null } | null }
type Dockerfile = {
  getFROMs(): From[]
  getCOPYs(): Copy[]
  getInitialARGs(): { getProperty(): { getName(): string; getValue(): string | null } | null }[]
}

/**
 * The images that a Dockerfile starts from, copies from and mounts, as written in it, with the build arguments filled in.
 * Its own stages and `scratch` are left out.
 *
 * @param args build arguments, KEY=VALUE each
 */
export async function basesOf(dockerfile: string, args: string[]): Promise<string[]> {
  const parsed = await parse(dockerfile)
  const values = new Map<string, string>()
  for (const arg of parsed.getInitialARGs()) {
    const { name, value } = { name: arg.getProperty()?.getName(), value: arg.getProperty()?.getValue() }
    if (name !== undefined && value) values.set(name, value)
  }
  for (const { name, value } of parseArgs(args)) values.set(name, value)
  const put = (text: string, depth = 0): string => {
    const next = once(text)
    return next === text || depth === 10 ? next : put(next, depth + 1)
  }
  const once = (text: string) =>
    text.replace(/\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))/g, (_, braced, otherwise, plain) => {
      return values.get(braced ?? plain) || otherwise || ""
    })
  const stages = namesOf(parsed)
  const named = [
    ...parsed.getFROMs().map(from => from.getImage()),
    ...parsed.getCOPYs().map(copy => copy.getFromFlag()?.getValue() ?? null),
    ...[...dockerfile.matchAll(/--mount=\S*\bfrom=([^,\s]+)/g)].map(([, from = ""]) => from),
  ]
  const found = named.flatMap(name => (name === null ? [] : [put(name)]))
  return [...new Set(found)].filter(
    name => name !== "" && name !== "scratch" && !/^\d+$/.test(name) && !stages.includes(name.toLowerCase()),
  )
}

async function parse(dockerfile: string): Promise<Dockerfile> {
  const { DockerfileParser } = (await import("dockerfile-ast" as string)) as Parser
  return DockerfileParser.parse(dockerfile)
}

/** The names of a Dockerfile's stages, in lower case: case does not matter in them. */
export async function stagesOf(dockerfile: string): Promise<string[]> {
  return namesOf(await parse(dockerfile))
}

function namesOf(parsed: Dockerfile): string[] {
  return parsed.getFROMs().flatMap(from => from.getBuildStage()?.toLowerCase() ?? [])
}

/**
 * The frontend: the image that a Dockerfile names as its parser (Dockerfile reference, "syntax": a comment at the very top).
 * Only an engine before 0.21 runs it; later ones read Dockerfiles themselves, and refuse frontends with names that they do not know.
 */
export function frontendOf(dockerfile: string): string | undefined {
  return /^(?:\s*#\s*\w+\s*=[^\n]*\n)*\s*#\s*syntax\s*=\s*(\S+)/i.exec(dockerfile)?.[1]
}

/** Whether engines since 0.21 recognize a frontend as their own (Dagger 0.21, core/container.go, isKnownDockerfileSyntaxFrontend). */
export function isOwnFrontend(image: string): boolean {
  return /^((index\.)?docker\.io\/)?(docker|moby)\/dockerfile(-upstream)?([:@].*)?$/i.test(image)
}

/**
 * An image with its tag's current digest, such as `docker.io/library/python:3.12@sha256:…`; undefined if its registry does not
 * report one, which is no reason to stop.
 */
export async function pinned(image: string, platform: string): Promise<string | undefined> {
  if (/@sha256:[0-9a-f]{64}$/.test(image)) return image
  try {
    const found: Container = dag.container({ platform: platform as Platform }).from(image)
    return await found.imageRef()
  } catch {
    return undefined
  }
}
