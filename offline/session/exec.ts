import { type Created, commandOf, createContainer, identity, scrubberOf } from "./create.js"
import { DockerError, readFrames } from "./docker.js"
import { ExecError } from "./errors.js"
import { changedLayers, hasLayers } from "./image.js"
import { decodeId } from "./recipe.js"
import { inContainer, putFile, settle } from "./rootfs.js"
import { startBound } from "./service.js"
import type { ContainerValue, Field, Mount, Outcome, Session } from "./session.js"
import { keyOf } from "./store.js"
import { LineLog, type Scrubber } from "./text.js"

interface ExecArgs {
  args: string[]
  useEntrypoint: boolean
  stdin: string
  redirectStdout: string
  expect: "SUCCESS" | "FAILURE" | "ANY"
  expand: boolean
}

/** The exit codes that each `expect` accepts, as ranges. Those from 128 to 191 are always an error: git's `fatal:` is one. */
const ACCEPTED: Record<ExecArgs["expect"], [first: number, last: number][]> = {
  SUCCESS: [[0, 0]],
  FAILURE: [
    [1, 127],
    [192, 255],
  ],
  ANY: [
    [0, 127],
    [192, 255],
  ],
}

/** Container.withExec: the container after a command, which runs unless the same ran before on the same state. */
export const withExec: Field = async (session, parent: ContainerValue, options: ExecArgs) => {
  const container = await settle(session, parent)
  const args = commandOf(container, options)
  const input = Buffer.from(options.stdin)
  const key = keyOf("exec", await identity(container), args, options.stdin, ACCEPTED[options.expect])
  const record = await session.once(`exec ${key}`, async () => {
    const known = session.store.get<Kept>("execs", key)
    if (known && (await hasLayers(session, known.layers, container.platform))) return known
    const made = await run(session, container, args, input, options)
    session.store.put("execs", key, made)
    return made
  })
  const mounts = mountsAfter(session, container, record)
  const after = { ...container, layers: record.layers, mounts, last: record.outcome }
  return options.redirectStdout ? redirected(session, after, options.redirectStdout) : after
}

async function run(
  session: Session,
  container: ContainerValue,
  args: string[],
  input: Buffer,
  options: ExecArgs,
): Promise<Kept> {
  const scrubber = await scrubberOf(container)
  session.log(`exec ${scrubber.text(args.join(" "))}`, true)
  const bound = await startBound(session, container)
  const created = await createContainer(session, container, args, bound, { stdin: input.length > 0 })
  try {
    const outcome = await outcomeOf(session, created.id, args, input, scrubber)
    const { exitCode } = outcome
    const accepted = ACCEPTED[options.expect].some(([first, last]) => first <= exitCode && exitCode <= last)
    if (!accepted) throw new ExecError(args, exitCode, outcome.stdout, outcome.stderr)
    return { outcome, ...(await snapshot(session, container, created)) }
  } finally {
    // With secrets in its configuration the container has to be gone; otherwise nobody needs to wait for that.
    if (container.secretEnv.length > 0) await created.remove()
    else session.later(created.remove())
  }
}

async function outcomeOf(
  session: Session,
  id: string,
  args: string[],
  input: Buffer,
  scrubber: Scrubber,
): Promise<Outcome> {
  const streams = await session.docker.attach(id, input.length > 0)
  try {
    await session.docker.json("POST", `/containers/${id}/start`)
  } catch (error) {
    streams.destroy()
    const text = error instanceof DockerError ? cannotStart(args, error.message) : undefined
    if (text === undefined) throw error
    return { exitCode: 1, stdout: "", stderr: text, combined: text }
  }
  if (input.length > 0) streams.end(input)
  const parts: { from: string; part: Buffer }[] = []
  const detail = (line: string) => session.log(line, true)
  const lines = { stdout: new LineLog(detail, scrubber), stderr: new LineLog(detail, scrubber) }
  await readFrames(streams, (from, part) => {
    parts.push({ from, part })
    lines[from].take(part)
  })
  lines.stdout.end()
  lines.stderr.end()
  const { StatusCode } = await session.docker.json("POST", `/containers/${id}/wait`)
  const text = (from?: string) => {
    const chosen = parts.filter(one => !from || one.from === from)
    return scrubber.text(Buffer.concat(chosen.map(one => one.part)).toString())
  }
  return { exitCode: StatusCode, stdout: text("stdout"), stderr: text("stderr"), combined: text() }
}

/** What the engine's init says about a command that can't be started, or undefined if the reason is different. */
function cannotStart([command = ""]: string[], message: string): string | undefined {
  const reason =
    /no such file or directory|permission denied|exec format error|executable file not found/.exec(
      message,
    )?.[0]
  if (!reason || !message.includes("exec")) return undefined
  if (command.includes("/")) return `fork/exec ${command}: ${reason}\n`
  return `exec: "${command}": executable file not found in $PATH\n`
}

/** The container with a command's output in a file. */
function redirected(session: Session, container: ContainerValue, to: string): ContainerValue {
  const path = inContainer(container, to)
  const blob = session.store.putBuffer(container.last?.stdout ?? "")
  return putFile(session, container, path, { ...blob, type: "file", mode: 0o644, uid: 0, gid: 0 })
}

/** The record of a command that ran. */
interface Kept {
  outcome: Outcome
  layers: string[]
  /** Digests of the mounted directories, by path. */
  directories: { [path: string]: string }
}

/** Keeps what a command changed: the root file system as a layer, mounted directories in the store. */
async function snapshot(
  session: Session,
  container: ContainerValue,
  created: Created,
): Promise<Omit<Kept, "outcome">> {
  const [layers, ...directories] = await Promise.all([
    changedLayers(session, created.id, container),
    ...[...created.volumes].map(async ([path, volume]) => [path, (await volume.read()).digest] as const),
  ])
  return { layers, directories: Object.fromEntries(directories) }
}

/** A container's mounts as the command left them. */
function mountsAfter(session: Session, container: ContainerValue, record: Kept): Mount[] {
  return container.mounts.map(mount => {
    const left = mount.kind === "directory" && session.store.getManifest(record.directories[mount.path] ?? "")
    return left ? { ...mount, manifest: left } : mount
  })
}

/**
 * Runs a command (a shell by default) in a container, given by its ID, on this process's terminal. What it changes is
 * dropped at the end. Gives the command's exit code.
 */
export async function openTerminal(session: Session, id: string, cmd: string[] = ["sh"]): Promise<number> {
  const container = await settle(session, await session.evaluate<ContainerValue>(decodeId(id, "Container")))
  const created = await createContainer(session, container, cmd, await startBound(session, container), {
    stdin: true,
    tty: true,
  })
  try {
    const { cli, host } = session.docker.target
    const args = ["start", "--attach", "--interactive", created.id]
    const { execa } = await import("execa")
    const { exitCode } = await execa(cli, args, {
      env: { DOCKER_HOST: host },
      stdio: "inherit",
      reject: false,
    })
    return exitCode ?? 1
  } finally {
    await created.remove()
  }
}
