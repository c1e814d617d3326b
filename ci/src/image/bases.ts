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
 * The images that a Dockerfile starts from, copies from, mounts, and is read with, as they are written in it, with its build arguments put in.
 * Stages of its own and `scratch` are not among them.
 *
 * @param args build arguments, KEY=VALUE each
 */
export async function basesOf(dockerfile: string, args: string[]): Promise<string[]> {
  const { DockerfileParser } = (await import("dockerfile-ast" as string)) as Parser
  const parsed = DockerfileParser.parse(dockerfile)
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
  const stages = parsed.getFROMs().map(from => from.getBuildStage()?.toLowerCase())
  const named = [
    ...parsed.getFROMs().map(from => from.getImage()),
    ...parsed.getCOPYs().map(copy => copy.getFromFlag()?.getValue() ?? null),
    ...[...dockerfile.matchAll(/--mount=\S*\bfrom=([^,\s]+)/g)].map(([, from = ""]) => from),
    // The parser of the file, which is an image too.
    /^#\s*syntax\s*=\s*(\S+)/im.exec(dockerfile)?.[1] ?? null,
  ]
  const found = named.flatMap(name => (name === null ? [] : [put(name)]))
  return [...new Set(found)].filter(
    name => name !== "" && name !== "scratch" && !/^\d+$/.test(name) && !stages.includes(name.toLowerCase()),
  )
}

/**
 * An image with the digest that its tag has now, such as `docker.io/library/python:3.12@sha256:…`; undefined if its registry does not
 * say it, which is no reason to stop.
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
