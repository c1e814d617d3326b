import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { copyOf, DAGGER, dagger, daggerProcess, until } from "./cli.help.js"
import { TestWorld } from "./release.world.js"

let world: TestWorld
let module: ReturnType<typeof copyOf>
let bin: string
let record: string

/** A `dagger` that records how it was called. Its engine answers if `engine` says so. */
function install(engine = true): void {
  const script = `#!/bin/sh
case "$1" in
version) echo "dagger v0.21.8 (image://registry.dagger.io/engine) linux/amd64"; exit ;;
esac
case "$*" in
"--silent core version") ${engine ? "echo v0.21.8; exit" : "exit 1"} ;;
esac
: > "${record}"
for word in "$@"; do printf '%s\\n' "$word" >> "${record}"; done
env > "${record}.env"
cat
echo from the real one >&2
exit 7
`
  writeFileSync(join(bin, "dagger"), script)
  chmodSync(join(bin, "dagger"), 0o755)
}

const recorded = () => readFileSync(record, "utf8").trimEnd().split("\n")
const environment = () => ({ PATH: `${bin}:${process.env.PATH}` })
const real = (...words: string[]) =>
  daggerProcess(world.source, ["--engine", "real", ...words], environment())

beforeAll(() => {
  world = new TestWorld()
  module = copyOf("hello")
  bin = join(world.folder, "bin")
  record = join(world.folder, "record")
  mkdirSync(bin)
})
afterEach(() => rmSync(record, { force: true }))
afterAll(async () => {
  module.remove()
  await world.remove()
})

describe("--engine real", () => {
  const MODULE = join(import.meta.dirname, "../..")

  it("makes the same call with the dagger on PATH against the same sandbox, and passes its results on", async () => {
    install()
    const words = ["--source", world.source, "release", "--dry-run", "a b"]
    const ran = await execa(DAGGER, ["-s", "--engine", "real", "call", "-m", MODULE, ...words], {
      cwd: "/",
      env: environment(),
      input: "from standard input",
      reject: false,
    })
    expect(ran, ran.stderr).toMatchObject({
      ...{ exitCode: 7, stdout: "from standard input", stderr: "from the real one" },
    })
    const { emulator, git } = await world.up()
    expect(recorded()).toEqual([
      "-s",
      "call",
      `--aws-endpoint=tcp://127.0.0.1:${emulator.port}`,
      `--git-endpoint=tcp://127.0.0.1:${git.port}`,
      `--git-remote=http://127.0.0.1:${git.port}${git.path}`,
      `--region=${emulator.region}`,
      ...["-m", MODULE, ...words],
    ])
    const seen = readFileSync(`${record}.env`, "utf8").split("\n")
    expect(seen).toContain(`AWS_ACCESS_KEY_ID=${emulator.env.AWS_ACCESS_KEY_ID}`)
    expect(seen).toContain(`GITHUB_TOKEN=${git.token}`)
  })

  it("adds only the arguments that aren't given", async () => {
    install()
    const { emulator } = await world.up()
    await real("-s", "-m", MODULE, "call", "--gitEndpoint", "tcp://127.0.0.1:1", "version")
    expect(recorded()).toEqual([
      ...["-s", "-m", MODULE, "call", `--aws-endpoint=tcp://127.0.0.1:${emulator.port}`],
      `--region=${emulator.region}`,
      ...["--gitEndpoint", "tcp://127.0.0.1:1", "version"],
    ])
    await real("-s", "call", "-m", module.dir, "greet")
    expect(recorded()).toEqual(["-s", "call", "-m", module.dir, "greet"])
  })

  it("passes help and other commands on as they are", async () => {
    install()
    await real("call", "release", "--help")
    expect(recorded()).toEqual(["call", "release", "--help"])
    await real("query", "--doc", "x")
    expect(recorded()).toEqual(["query", "--doc", "x"])
  })

  it("is refused if there is only the stand-in", async () => {
    rmSync(join(bin, "dagger"))
    symlinkSync(DAGGER, join(bin, "dagger"))
    const none = await dagger("/", ["--engine=real", "call", "release"], {
      PATH: `${bin}:/usr/bin:/bin`,
    })
    expect(none.exitCode).toBe(1)
    expect(none.errors).toContain("the only dagger on PATH is this stand-in. Install Dagger")
    rmSync(join(bin, "dagger"))
    const other = await dagger("/", ["--engine=other", "call"])
    expect(other.errors).toContain('argument "other" for "--engine" flag: it must be stand-in or real')
  })
})

describe("the note on --engine real", () => {
  const NOTE = /^note: \/\S*\/bin\/dagger \(v0\.21\.8\) and its engine are running: .*--engine real call/m
  /** A call that goes on until the fake's answer is in. */
  const call = (...flags: string[]) =>
    dagger(module.dir, [...flags, "call", "greet"], {
      ...environment(),
      _EXPERIMENTAL_DAGGER_RUNNER_HOST: "unix:///run/engine.sock",
    })

  it("is not given with --silent, nor if no engine answers", async () => {
    install(false)
    expect((await call()).stderr).not.toContain("note:")
    install()
    expect((await call("-s")).stderr).not.toContain("note:")
  })

  it("is given once in a checkout, after the call's own output, if an engine answers", async () => {
    install()
    const first = await until(async () => {
      const ran = await call()
      return NOTE.test(ran.stderr) && ran
    })
    expect(first.stderr).toMatch(/standard error\n.*note: /s)
    expect(first).toMatchObject({ stdout: "hello world from xx (low)", exitCode: 0 })
    expect((await call()).stderr).not.toContain("note:")
  })
})
