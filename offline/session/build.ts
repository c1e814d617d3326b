import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { ExecError, UserError } from "./errors.js"
import { inspectImage, platformOf } from "./image.js"
import { clean, type Manifest } from "./manifest.js"
import { withImage } from "./registry.js"
import type { ContainerValue, DirectoryValue, Field, SecretValue, Session, SocketValue } from "./session.js"
import { keyOf } from "./store.js"
import { LineLog, Scrubber } from "./text.js"
import { writeTree } from "./tree.js"

interface BuildArgs {
  dockerfile: string
  platform: string | null
  buildArgs: { name: string; value: string }[]
  target: string
  secrets: SecretValue[]
  ssh: SocketValue | null
}

/** Directory.dockerBuild: the image that Docker's BuildKit builds from the directory. */
export const dockerBuild: Field = async (
  session,
  parent: DirectoryValue,
  options: BuildArgs,
): Promise<ContainerValue> => {
  const context = await parent.load()
  const own = await platformOf(session)
  const platform = options.platform ?? own
  const args = Object.fromEntries(options.buildArgs.map(({ name, value }) => [name, value]))
  const text = read(session, context, options.dockerfile)
  const base = (ref: string) => baseImage(session, ref)
  const dockerfile = await rewriteDockerfile(text, args, base, platformArgs(platform, own))
  const secrets = await Promise.all(
    options.secrets.map(async secret => [secret.name, await secret.fingerprint()]),
  )
  const key = keyOf(
    "build",
    context.digest,
    dockerfile,
    options.dockerfile,
    platform,
    args,
    options.target,
    secrets,
  )
  const name = session.imageName(`build-${key.slice(0, 40)}`)
  const image = await session.once(`build ${key}`, async () => {
    const known = await inspectImage(session, name)
    if (known) return known
    await build(session, context, dockerfile, platform === own ? undefined : platform, options, name)
    return inspectImage(session, name)
  })
  if (!image) throw new UserError(`dockerBuild: the built image ${name} is gone. Run this again.`)
  const empty = { mounts: [], ports: [], secretEnv: [], services: [], auths: [] }
  return withImage({ layers: [], edits: [], config: {}, platform, ...empty }, image)
}

function read(session: Session, context: Manifest, path: string): string {
  const entry = context.find(clean(path))
  if (entry?.type === "file") return session.store.read(entry.sha ?? "").toString()
  throw new UserError(`failed to read dockerfile: open /${clean(path)}: no such file or directory`)
}

/** A local name for an image that a Dockerfile refers to, so that BuildKit uses it without asking a registry. */
async function baseImage(session: Session, reference: string): Promise<string> {
  const image = await inspectImage(session, await session.resolveImage(reference))
  if (!image) throw new UserError(`failed to resolve image "${reference}": not found`)
  const tag = `base-${image.id.replace("sha256:", "").slice(0, 40)}`
  const query = { repo: session.repository, tag }
  await session.docker.json("POST", `/images/${image.id}/tag`, { query })
  return session.imageName(tag)
}

/**
 * Runs the build. The context is a folder named by its content, because BuildKit treats files of the same size and time in the same
 * folder as equal. The Dockerfile is outside, with the context's ignore file next to it, where Docker looks for it.
 */
async function build(
  session: Session,
  context: Manifest,
  dockerfile: string,
  platform: string | undefined,
  options: BuildArgs,
  name: string,
): Promise<void> {
  const work = session.store.temporary()
  const folder = join(work, context.digest)
  writeTree(session.store, context.entries, folder)
  const file = join(work, "Dockerfile")
  writeFileSync(file, dockerfile)
  const ignore = [`${clean(options.dockerfile)}.dockerignore`, ".dockerignore"].map(path =>
    context.find(path),
  )
  const sha = ignore.find(entry => entry?.type === "file")?.sha
  if (sha) session.store.copyBlob(sha, `${file}.dockerignore`)
  const plaintexts: string[] = []
  const flags: string[] = []
  try {
    for (const [index, secret] of options.secrets.entries()) {
      if (!secret.name) throw new UserError("secret has no name")
      const path = join(work, `secret-${index}`)
      const plaintext = await secret.plaintext()
      plaintexts.push(plaintext)
      writeFileSync(path, plaintext, { mode: 0o600 })
      flags.push("--secret", `id=${secret.name},src=${path}`)
    }
    for (const arg of options.buildArgs) flags.push("--build-arg", `${arg.name}=${arg.value}`)
    if (options.ssh) flags.push("--ssh", `default=${options.ssh.path}`)
    if (options.target) flags.push("--target", options.target)
    if (platform) flags.push("--platform", platform)
    await run(
      session,
      ["--file", file, "--tag", name, ...flags, folder],
      new Scrubber(plaintexts),
      options.target,
    )
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function run(session: Session, args: string[], scrubber: Scrubber, target: string): Promise<void> {
  const { cli, host } = session.docker.target
  session.log(`build${target ? ` --target ${target}` : ""}`)
  const lines: string[] = []
  const log = new LineLog(line => {
    lines.push(line)
    if (line.trim() !== "") session.log(line)
  }, scrubber)
  const env = { DOCKER_HOST: host, DOCKER_BUILDKIT: "1", BUILDKIT_PROGRESS: "plain" }
  const { execa } = await import("execa") // loaded here: it is heavy, and most calls build nothing
  const child = execa(cli, ["build", "--progress", "plain", ...args], {
    env,
    reject: false,
    buffer: false,
    all: true,
  })
  for await (const part of child.all) log.take(part as Buffer)
  log.end()
  const { failed, shortMessage } = await child
  if (failed) throw buildError(lines, scrubber.text(shortMessage ?? ""))
}

/**
 * What went wrong, from the progress lines: an exec error if a RUN didn't exit with 0. Docker's progress doesn't distinguish
 * standard output from standard error: both are returned as standard output.
 */
export function buildError(lines: string[], otherwise: string): Error {
  for (const line of lines) {
    const [, step, command = "", code] =
      /^#(\d+) ERROR: (?:executor failed running \[(.*)\]|process "(.*)" did not complete successfully): exit code: (\d+)/
        .exec(line)
        ?.filter((_, index, all) => !(index === 2 || index === 3) || all[index] !== undefined) ?? []
    if (!step || code === undefined) continue
    const prefix = new RegExp(`^#${step} \\d+\\.\\d+ `)
    const output = lines.filter(one => prefix.test(one)).map(one => one.replace(prefix, ""))
    const exitCode = Number(code)
    const message = `failed to clone built container state: exit code: ${exitCode}`
    return new ExecError(words(command), exitCode, output.join("\n"), "", message)
  }
  const said = lines.filter(line => /^(error|failed|ERROR)/.test(line)).at(-1) ?? otherwise
  return new UserError(said.replace(/^(error|ERROR): /, ""))
}

/** The command line of a RUN as it was: a shell's script is one word. */
function words(command: string): string[] {
  const shell = /^(\S+ -\S*c) (.*)$/s.exec(command)
  return shell ? [...(shell[1] ?? "").split(" "), shell[2] ?? ""] : command.split(" ")
}

/** The variables that BuildKit sets by itself (Dockerfile reference, "Automatic platform ARGs in the global scope"). */
function platformArgs(target: string, build: string): Record<string, string> {
  const named = (prefix: string, platform: string) => {
    const [os = "", architecture = "", variant = ""] = platform.split("/")
    const values = { PLATFORM: platform, OS: os, ARCH: architecture, VARIANT: variant }
    return Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value])
  }
  return Object.fromEntries([...named("TARGET", target), ...named("BUILD", build)])
}

/** What a Dockerfile builds on: finds a name for the image that a reference means. */
type Resolve = (reference: string) => Promise<string>

/**
 * Returns the Dockerfile with every reference to an image outside it replaced by what `resolve` gives: those of FROM, of
 * COPY --from and of RUN --mount=from. Stages' names, stages' numbers and `scratch` stay. Variables in FROM are replaced
 * by `buildArgs`, by the defaults of ARG lines before the first FROM, or by `automatic`. A `# syntax=` line is dropped: it would fetch
 * another frontend from a registry.
 */
export async function rewriteDockerfile(
  text: string,
  buildArgs: Record<string, string>,
  resolve: Resolve,
  automatic: Record<string, string> = {},
): Promise<string> {
  const stages = new Set<string>(["scratch"])
  const globals = new Map<string, string>(Object.entries(automatic))
  const lines: string[] = []
  let before = true
  const image = async (reference: string) =>
    stages.has(reference.toLowerCase()) || /^\d+$/.test(reference) ? reference : resolve(reference)

  for (const line of logicalLines(text)) {
    const arg = before && /^\s*ARG\s+([A-Za-z_]\w*)(?:=(.*?))?\s*$/is.exec(line)
    if (arg) {
      const [, name = "", value] = arg
      const known =
        buildArgs[name] ?? (value === undefined ? undefined : expandArgs(unquoted(value), globals))
      if (known !== undefined) globals.set(name, known)
    }
    const from = /^(\s*FROM\s+(?:--platform=\S+\s+)?)(\S+)(?:(\s+AS\s+)(\S+))?(\s*)$/is.exec(line)
    if (from) {
      before = false
      const [, start, reference = "", as = "", stage = "", end] = from
      lines.push(`${start}${await image(expandArgs(reference, globals))}${as}${stage}${end}`)
      if (stage) stages.add(stage.toLowerCase())
    } else if (/^\s*(COPY|ADD|RUN)\s/i.test(line)) lines.push(await rewriteOptions(line, image))
    else lines.push(line)
  }
  return lines.join("\n")
}

/** Replaces the images in an instruction's own options: they come before its first other word. */
async function rewriteOptions(line: string, image: Resolve): Promise<string> {
  const [head = ""] = /^\s*\w+((\s|\\\n)+--\S+)*/.exec(line) ?? []
  let rewritten = head
  for (const [option, name = "", reference = ""] of head.matchAll(/(--from=|[=,]from=)([^\s,]+)/g)) {
    rewritten = rewritten.replace(option, `${name}${await image(reference)}`)
  }
  return rewritten + line.slice(head.length)
}

/** The Dockerfile's lines, those that a backslash continues as one, without a `# syntax=` line at the top. */
function logicalLines(text: string): string[] {
  const physical = text.replaceAll("\r\n", "\n").split("\n")
  const directives = physical.findIndex(line => !/^\s*#\s*\w+\s*=/.test(line))
  const lines: string[] = []
  for (const [index, line] of physical.entries()) {
    if (index < directives && /^\s*#\s*syntax\s*=/i.test(line)) continue
    const last = lines.at(-1)
    if (last !== undefined && /\\\s*$/.test(last) && !/^\s*#/.test(last))
      lines[lines.length - 1] = `${last}\n${line}`
    else lines.push(line)
  }
  return lines
}

function expandArgs(text: string, values: Map<string, string>): string {
  return text.replace(/\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))/g, (_, braced, sign, other, bare) => {
    const value = values.get(braced ?? bare) ?? ""
    if (sign === "-") return value || other
    if (sign === "+") return value && other
    return value
  })
}

function unquoted(value: string): string {
  return value.replace(/^(["'])(.*)\1$/s, "$2")
}
