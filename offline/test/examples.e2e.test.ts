import { execFileSync } from "node:child_process"
import { appendFileSync, cpSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { daggerProcess } from "./cli.help.js"
import { project, TestWorld } from "./release.world.js"

// The examples, each as a repository of its own, released by the module as somebody else has it: a clone of a tag.

let world: TestWorld
let module: string
const secret = "timeout = 61"

beforeAll(() => {
  world = new TestWorld([])
  const upstream = join(world.folder, "upstream")
  const git = (...args: string[]) => execFileSync("git", args, { stdio: "ignore" })
  git("init", "-q", upstream)
  cpSync(join(project, "ci"), join(upstream, "ci"), {
    recursive: true,
    filter: path => !/node_modules|\/test($|\/)|\/sdk($|\/)/.test(path.slice(project.length)),
  })
  git("-C", upstream, "add", "-A")
  git("-C", upstream, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "feat: module")
  git("-C", upstream, "tag", "v1.2.3")
  const clone = join(world.folder, "installed")
  git("clone", "-q", "--branch", "v1.2.3", upstream, clone)
  module = join(clone, "ci")
  // An engine does this by itself, with the module's own lockfile.
  const flags = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
  execFileSync("npm", ["ci", ...flags], { cwd: module, stdio: "ignore" })
})
afterAll(() => world.remove())

/** Makes an example the content of the world's repository, and releases it. */
async function release(example: string, ...given: string[]) {
  world.git("rm", "-rqf", "--ignore-unmatch", ".")
  cpSync(join(project, "examples", example), world.source, { recursive: true })
  // What pip installs is built anew in each run of the tests: a layer that is known needs no secret.
  if (example === "python") appendFileSync(join(world.source, "requirements.txt"), `# ${world.folder}\n`)
  world.commit(`feat: the example in ${example}`)
  // The sandbox's account has one service.
  const names = ["--cluster=hello", "--service=hello", "--repository=hello"]
  const words = ["-m", module, "call", ...names, ...given, "release"]
  return daggerProcess(world.source, words, world.environment as Record<string, string>)
}

async function version(): Promise<Record<string, string>> {
  const { emulator } = await world.up()
  return (await (await fetch(`${emulator.appUrl}/version`)).json()) as Record<string, string>
}

describe("an example", () => {
  test.each(["go", "node"])("in %s is tested, built and released", async example => {
    const { stdout, stderr, exitCode } = await release(example)
    expect({ exitCode, stderr: exitCode === 0 ? "" : stderr.slice(-2000) }).toEqual({
      exitCode: 0,
      stderr: "",
    })
    const [, released] = /^completed: hello\/hello runs (\S+): /.exec(stdout) ?? []
    expect(await version()).toEqual({ version: released })
  })

  test("in Python gets its private dependency by a secret, which is not in the image", async () => {
    const without = await release("python", "--sbom-image=none")
    expect(without.exitCode).not.toBe(0)
    const file = join(world.folder, "pip.conf")
    writeFileSync(file, `[global]\n${secret}\n`)
    const { stdout, exitCode } = await release("python", "--sbom-image=none", `--build-secret=file://${file}`)
    expect(exitCode).toBe(0)
    const [, released] = /^completed: hello\/hello runs (\S+): /.exec(stdout) ?? []
    expect(await version()).toEqual({ version: released, h11: "0.14.0" })
    const image = join(world.folder, "image.tar")
    const words = ["call", `--build-secret=file://${file}`, "build", "export", `--path=${image}`]
    await daggerProcess(world.source, ["-m", module, ...words], world.environment as Record<string, string>)
    expect(() => execFileSync("grep", ["-q", secret, image])).toThrow()
  })
})
