import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type DockerTarget, dockerEnv, ensureDocker, hasImage } from "../machine/docker.js"
import {
  bridgeName,
  daemonAnswers,
  daemonLog,
  ownSocket,
  startDaemon,
  stopDaemon,
} from "../machine/dockerd.js"
import { isRoot } from "../machine/home.js"
import { parseReference, resolveImage } from "../machine/images.js"
import { canInstall } from "../machine/packages.js"
import { isRunning, type Owned, run } from "../machine/process.js"
import { standInFor } from "../machine/standins.js"

let docker: DockerTarget
const lines: string[] = []
const log = (line: string) => {
  lines.push(line)
}

beforeAll(async () => {
  docker = await ensureDocker(log)
})

/** Runs a command in a container of the image, and gives what it printed. */
async function inside(image: string, ...command: string[]): Promise<string> {
  const done = await run(docker.cli, ["run", "--rm", image, ...command], { env: dockerEnv(docker) })
  expect(done.stderr).toBe("")
  return done.stdout.trim()
}

describe("Docker", () => {
  it("is found again, with a client that builds", async () => {
    expect(await ensureDocker(log)).toEqual(docker)
    const built = await run(docker.cli, ["build", "--quiet", "-"], {
      env: dockerEnv(docker),
      input: "# syntax-free\nFROM scratch\nLABEL a=b\n",
    })
    expect(built).toMatchObject({ code: 0, stdout: expect.stringMatching(/^sha256:/) })
  })

  it("does not answer if there is none", async () => {
    expect(await daemonAnswers("tcp://127.0.0.1:1")).toBe(false)
    expect(await daemonAnswers("unix:///nowhere/docker.sock")).toBe(false)
  })

  // Elsewhere Docker is somebody else's to start.
  it.runIf(canInstall() || (isRoot() && existsSync("/usr/sbin/dockerd")))(
    "of our own comes up again after a kill, whatever it left",
    async () => {
      const home = mkdtempSync(join(tmpdir(), "home-"))
      process.env.ECS_RELEASE_HOME = home
      try {
        const host = await startDaemon(log)
        expect(await daemonAnswers(host)).toBe(true)
        // 3: set, so it stays as it is whatever containers come and go (NET_ADDR_SET).
        expect(readFileSync(`/sys/class/net/${bridgeName()}/addr_assign_type`, "utf8")).toBe("3\n")
        const first = JSON.parse(readFileSync(join(home, "run/docker.json"), "utf8")) as Owned
        process.kill(first.pid, "SIGKILL")
        while (isRunning(first)) await new Promise(resolve => setTimeout(resolve, 10))
        expect(existsSync(ownSocket())).toBe(true)
        expect(await daemonAnswers(host)).toBe(false)
        expect(await startDaemon(log)).toBe(host)
        expect(await daemonAnswers(host)).toBe(true)
        expect(readFileSync(daemonLog(), "utf8")).toContain("API listen on")
        await stopDaemon()
        expect(await daemonAnswers(host)).toBe(false)
      } finally {
        await stopDaemon()
        delete process.env.ECS_RELEASE_HOME
        // A killed daemon leaves its data directory mounted on itself.
        await run("umount", [join(home, "docker")])
        rmSync(home, { recursive: true })
      }
    },
  )
})

describe("an image", () => {
  afterAll(async () => {
    await run(docker.cli, ["image", "rm", "ecs-release/test:here"], { env: dockerEnv(docker) })
  })

  it("that is already here is used as it is", async () => {
    const base = await resolveImage(docker, "public.ecr.aws/docker/library/debian:bookworm-slim", log)
    await run(docker.cli, ["tag", base, "ecs-release/test:here"], { env: dockerEnv(docker) })
    expect(await resolveImage(docker, "ecs-release/test:here", log)).toBe("ecs-release/test:here")
    expect(await hasImage(docker, "ecs-release/test:gone")).toBe(false)
  })

  it("of Python, of Debian and with git works, from a registry or as a stand-in", async () => {
    const python = await resolveImage(docker, "public.ecr.aws/docker/library/python:3.13-slim-bookworm", log)
    expect(await inside(python, "python", "-c", "import ssl, venv; print('ok')")).toBe("ok")
    expect(await inside(python, "sh", "-c", "command -v python; command -v pip")).toBe(
      "/usr/local/bin/python\n/usr/local/bin/pip",
    )
    const debian = await resolveImage(docker, "docker.io/library/debian:bookworm-slim", log)
    expect(await inside(debian, "cat", "/etc/debian_version")).toMatch(/^12/)
    const git = await resolveImage(docker, "public.ecr.aws/docker/library/buildpack-deps:bookworm-scm", log)
    expect(await inside(git, "git", "--version")).toMatch(/^git version 2/)
  })

  it("that no reachable registry has fails at once, with a remedy", async () => {
    const missing = resolveImage(docker, "127.0.0.1:1/team/tool:7", log)
    await expect(missing).rejects.toThrow(/127\.0\.0\.1:1\/team\/tool:7 .* does not answer: .*refused/)
    await expect(missing).rejects.toThrow(
      /mirror.*docker load.*debian, python, golang, node, buildpack-deps/s,
    )
  })
})

describe("a reference", () => {
  it.each([
    ["python", "docker.io", "python", "latest"],
    ["library/python:3", "docker.io", "python", "3"],
    ["docker.io/library/python:3-slim", "docker.io", "python", "3-slim"],
    ["public.ecr.aws/docker/library/python:3.13-slim@sha256:00", "public.ecr.aws", "python", "3.13-slim"],
    ["localhost:5000/python", "localhost:5000", "python", "latest"],
    ["ghcr.io/team/app:1", "ghcr.io", "team/app", "1"],
    ["team/app@sha256:00", "docker.io", "team/app", "latest"],
  ])("%s is taken apart", (reference, registry, name, tag) => {
    expect(parseReference(reference)).toEqual({ registry, name, tag })
  })

  it("has a stand-in only if that can do its job", () => {
    const named = (name: string, tag: string) => standInFor(name, tag)?.name
    expect(named("python", "3.13-slim-bookworm")).toBe("python")
    expect(named("python", "3")).toBe("python")
    expect(named("python", "3.13-alpine")).toBeUndefined()
    expect(named("python", "2.7")).toBeUndefined()
    expect(named("debian", "bookworm-20260101-slim")).toBe("debian")
    expect(named("debian", "trixie")).toBeUndefined()
    expect(named("buildpack-deps", "bookworm-scm")).toBe("buildpack-deps")
    expect(named("golang", "1.26-bookworm")).toBe("golang")
    expect(named("golang", "1.26-alpine")).toBeUndefined()
    expect(named("node", "24-bookworm-slim")).toBe("node")
    // Debian's has no npm.
    expect(named("node", "24")).toBeUndefined()
    expect(named("team/python", "3")).toBeUndefined()
  })
})
