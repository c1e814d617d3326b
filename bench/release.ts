/**
 * Times a release beside a script that does the same by hand (by-hand.sh): each in a repository and a sandbox of its own, in turn, with
 * real containers. Cold is the first release of a repository, with the images of the base there; then a one-line change, and nothing.
 */
import { execFile } from "node:child_process"
import { appendFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { dockerEnv, ensureDocker } from "../offline/machine/docker.js"
import { resolveImage } from "../offline/machine/images.js"
import { ensurePython } from "../offline/machine/packages.js"
import { project, TestWorld } from "../offline/test/release.world.js"
import { median, type Row, ratios } from "./measure.js"

const log = (line: string) => void process.stderr.write(`${line}\n`)
const run = promisify(execFile)

/** One way to release, with the world that it releases to. */
type Way = { name: string; world: TestWorld; release: () => Promise<string> }

/** @returns the lines of the table, a block for each kind of release */
export async function benchRelease(pairs = Number(process.env.BENCH_PAIRS ?? 4)): Promise<string[]> {
  const ways = [await ours(), await byHand()]
  try {
    const kinds: [string, number, (world: TestWorld) => void][] = [
      ["cold", 1, () => {}],
      ["one-line change", pairs, world => change(world)],
      ["no-op", pairs, () => {}],
    ]
    const lines: string[] = []
    for (const [kind, times, prepare] of kinds) {
      const taken = ways.map((): number[] => [])
      for (let turn = 0; turn < times; turn++) {
        for (const [at, { name, world, release }] of ways.entries()) {
          prepare(world)
          const start = performance.now()
          log(`${kind}: ${name}: ${await release()}`)
          taken[at]?.push(performance.now() - start)
        }
      }
      const rows = ways.map(
        ({ name }, at): Row => ({
          name,
          milliseconds: median(taken[at] ?? []),
          answer: "",
        }),
      )
      lines.push(`release: ${kind}${times > 1 ? ` (median of ${times})` : ""}`, ...ratios(rows, "by hand"))
    }
    return lines
  } finally {
    for (const { world } of ways) await world.remove()
  }
}

function change(world: TestWorld): void {
  appendFileSync(join(world.source, "app/hello_world.py"), `# ${Date.now()}\n`)
  world.commit("fix: one line")
}

async function ours(): Promise<Way> {
  const world = new TestWorld()
  await world.up()
  const release = async () => {
    const words = ["-s", "-m", project, "call", "release"]
    const { stdout } = await run(join(project, "offline/dagger"), words, {
      cwd: world.source,
      env: world.environment,
    })
    return stdout.split("\n", 1)[0] ?? ""
  }
  return { name: "ecs-release", world, release }
}

async function byHand(): Promise<Way> {
  const world = new TestWorld()
  const docker = await ensureDocker(log)
  const { emulator, git } = await world.up()
  const env = {
    ...dockerEnv(docker),
    ...emulator.env,
    AWS_REGION: emulator.region,
    AWS_DEFAULT_REGION: emulator.region,
    AWS_ENDPOINT_URL: `http://127.0.0.1:${emulator.port}`,
    REMOTE: `http://x:${git.token}@127.0.0.1:${git.port}${git.path}`,
    REGISTRY: `127.0.0.1:${emulator.port}`,
    ...{ REPOSITORY: "hello", CLUSTER: "hello", SERVICE: "hello" },
    BASE_IMAGE: await resolveImage(docker, "public.ecr.aws/docker/library/python:3.11.17-slim-bookworm", log),
    PYTHON: await ensurePython(join(import.meta.dirname, "requirements.txt"), log),
    DOCKER_CONFIG: join(world.folder, "docker"),
    PATH: `${join(docker.cli, "..")}:${process.env.PATH}`,
  }
  const release = async () => {
    const { stdout } = await run(join(import.meta.dirname, "by-hand.sh"), [], { cwd: world.source, env })
    return stdout.trim()
  }
  return { name: "by hand", world, release }
}
