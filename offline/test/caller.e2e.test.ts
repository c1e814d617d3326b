import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { daggerProcess } from "./cli.help.js"
import { project, TestWorld } from "./release.world.js"

// The module, called from a repository that is not its own: another app, other tags, other settings.

const dockerfile = `FROM public.ecr.aws/docker/library/debian:bookworm-slim AS base
RUN --mount=type=secret,id=SHOP_TOKEN if test -f /run/secrets/SHOP_TOKEN; then cksum < /run/secrets/SHOP_TOKEN > /sum; fi
RUN --mount=type=ssh if test -S "$SSH_AUTH_SOCK"; then touch /agent; fi
COPY shop.txt /
FROM base AS check
COPY broken* /
RUN ! test -e /broken
FROM base AS serve
`
const settings = `# The shop's own.
ECS_RELEASE_testTarget=check
ecsRelease_runtimeTarget=serve
ECS_RELEASE_repository=shop
HELLO_cluster=nobody
`
const token = "s3cr3t-shop-t0ken"

let world: TestWorld
let agent: Server
beforeAll(async () => {
  world = new TestWorld([])
  world.commit("feat: the shop\n\nRelease-As: 4.5.0", {
    ...{ Dockerfile: dockerfile, "shop.txt": "shop\n", ".env": settings, "src/deep/file": "" },
  })
  world.git("tag", "v4.5.0")
  world.commit("feat: more")
  agent = createServer(socket => socket.end()).listen(join(world.folder, "agent.sock"))
})
afterAll(async () => {
  agent.close()
  await world.remove()
})

const call = (words: string[], cwd = world.source, module = project) =>
  daggerProcess(cwd, ["-m", module, ...words], { ...world.environment, SHOP_TOKEN: token } as Record<
    string,
    string
  >)

describe("from another repository", () => {
  it.each([
    ["the module's folder", "", project],
    ["a sub-folder of the caller's", "src/deep", project],
    ["the folder to install from", "", join(project, "ci")],
  ])("the version is the caller's: %s", async (_, folder, module) => {
    const { stdout, exitCode, stderr } = await call(["call", "version"], join(world.source, folder), module)
    expect({ stdout, exitCode }, stderr).toEqual({ stdout: "4.6.0", exitCode: 0 })
  })

  it("the settings are the caller's", async () => {
    const { stdout, stderr } = await call(["call", "plan", "--table"])
    expect(stdout).toMatch(/^version {2}4\.6\.0 .*now 4\.5\.0\)/)
    expect(stdout).toContain("No ECS cluster is set.")
    expect(stdout).toContain("test (stage check) and, in parallel, build Dockerfile (stage serve)")
    expect(stdout).toMatch(/to the repository shop$/m)
    expect(stderr).toContain('user default: ecs-release(testTarget="check")')
  })

  it("a linked work tree needs its git directory, and says so", async () => {
    const linked = join(world.folder, "linked")
    world.git("worktree", "add", "-q", linked)
    const { stderr, exitCode } = await call(["call", "version"], linked)
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/is a linked work tree[\s\S]*→ .*--git-dir/)
    const found = await call(["call", `--git-dir=${join(world.source, ".git")}`, "version"], linked)
    expect(found.stdout).toBe("4.6.0")
  })

  it("a folder outside any repository is an error", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bare-"))
    const { stderr, exitCode } = await call(["call", "version"], folder)
    rmSync(folder, { recursive: true })
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/The source is not a git repository[\s\S]*→ /)
  })

  it("a build has its secrets and the agent's socket, and keeps neither", async () => {
    const given = ["--build-secret=env://SHOP_TOKEN", `--ssh=${join(world.folder, "agent.sock")}`]
    const files = ["with-exec", "--args=sh,-c,cat /sum /shop.txt && ls /agent", "stdout"]
    const built = await call(["--verbose", "call", ...given, "build", ...files])
    const sum = execFileSync("cksum", { input: token }).toString().trim()
    expect(built.stdout).toBe(`${sum}\nshop\n/agent\n`)
    expect(built.stderr).not.toContain(token)
    const image = join(world.folder, "image.tar")
    await call(["call", ...given, "build", "export", `--path=${image}`])
    // Layers, configuration and history.
    expect(execFileSync("grep", ["-c", "shop", image]).toString()).not.toBe("0\n")
    expect(() => execFileSync("grep", ["-q", token, image])).toThrow()
    const missing = await call(["call", "--build-secret=env://NOT_SET_HERE", "build"])
    expect(missing.stderr).toMatch(/build secret NOT_SET_HERE has no value[\s\S]*→ Set NOT_SET_HERE/)
  })

  it("init says what is missing, and writes nothing", async () => {
    const before = world.git("status", "--porcelain")
    const { stdout, exitCode } = await call(["call", "init"])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^✔ git: commit [0-9a-f]{7}, remote http/m)
    expect(stdout).toMatch(/^✔ Dockerfile: stages check and serve, no reports$/m)
    expect(stdout).toMatch(
      /^✘ Nothing starts a release on a push\.\n {2}→ dagger call ci-config --system github/m,
    )
    expect(stdout).toMatch(/^✘ No ECS cluster is set\./m)
    expect(stdout).toMatch(/missing; nothing was changed\.\n$/)
    expect(world.git("status", "--porcelain")).toBe(before)
    const given = ["--cluster=hello", "--service=hello", "--repository=hello"]
    const ready = await call(["call", ...given, "init"])
    expect(ready.stdout).toMatch(/^✔ ECR: .*\/hello, with immutable tags$/m)
    expect(ready.stdout).toMatch(/^✔ ECS: hello\/hello can be deployed, and rolls back by itself$/m)
  })

  it("ci-config writes the file for a CI system where it is exported", async () => {
    const to = join(world.folder, "exported")
    const words = [
      "--system=github",
      "--module=github.com/team/ecs-release/ci@v1.2.3",
      "export",
      `--path=${to}`,
    ]
    expect((await call(["call", "ci-config", ...words])).exitCode).toBe(0)
    const workflow = () => readFileSync(join(to, ".github/workflows/release.yml"), "utf8")
    expect(workflow()).toContain("ecs-release/ci@v1.2.3 call")
    expect(workflow()).toContain('branches: ["main"]')
    world.git("update-ref", "refs/remotes/origin/master", "HEAD")
    world.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/master")
    expect((await call(["call", "ci-config", ...words])).exitCode).toBe(0)
    expect(workflow()).toContain('branches: ["master"]')
    world.git("symbolic-ref", "--delete", "refs/remotes/origin/HEAD")
    world.git("update-ref", "-d", "refs/remotes/origin/master")
  })

  it("check runs the tests, and fails with them", async () => {
    expect(await call(["check"])).toMatchObject({
      ...{ exitCode: 0, stdout: expect.stringMatching(/^passed: stage check/) },
      stderr: expect.stringMatching(/✔ test\n$/),
    })
    mkdirSync(world.source, { recursive: true })
    writeFileSync(join(world.source, "broken"), "")
    const { exitCode, stderr } = await call(["check", "test"])
    rmSync(join(world.source, "broken"))
    expect({ exitCode, end: stderr.slice(-7) }).toEqual({ exitCode: 1, end: "✘ test\n" })
    expect((await call(["check", "nope"])).stderr).toContain('no check named "nope"; there are: test')
  })
})
