import { execFileSync } from "node:child_process"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { DAGGER } from "./cli.help.js"
import { ModuleWorld, untilFinished } from "./module.world.js"
import { project } from "./release.world.js"

// What a release decides from what others did, what it does only once, and what every function answers.

let world: ModuleWorld
beforeAll(async () => {
  world = new ModuleWorld()
  await world.start()
  world.commit("feat: begin\n\nRelease-As: 0.3.6")
  await world.push("main")
  await world.release()
})
afterAll(() => world.remove())

describe("what other people did in the meantime", () => {
  test("an older commit whose number a newer one took is superseded, not told to take another number", async () => {
    world.commit("fix: older")
    const older = world.clone("older")
    world.commit("fix: newer")
    await world.push("main")
    expect(await world.release()).toMatch(/^completed: .* 0\.3\.7/)
    const tags = await world.remoteTags()
    expect(await world.release({}, older)).toMatch(/^superseded: .* 0\.3\.7/)
    expect(await world.run(module => module.push(), {}, older)).toMatch(/^superseded: .* 0\.3\.7/)
    expect(await world.remoteTags()).toEqual(tags)
  })

  test("a release does not undo the deployment of a named older version", async () => {
    await world.run(module => module.deploy("0.3.6"))
    await world.pushCommit("docs: nothing to release")
    expect(await world.release()).toMatch(
      /^nothing to release since 0\.3\.7: .*; 0\.3\.7 ran before, and 0\.3\.6 was deployed in its place, and hello\/hello runs 0\.3\.6/,
    )
    expect(await world.runningVersion()).toBe("0.3.6")
    await world.run(module => module.deploy("0.3.7"))
  })

  test("an image tagged with the version's number but not its commit is not deployed", async () => {
    const commit = await world.pushCommit("fix: claimed and never pushed")
    await world.push(`${commit}:refs/tags/v0.3.8`)
    await world.tagImage("0.3.7", "0.3.8")
    await world.pushCommit("docs: nothing to release")
    await expect(world.release()).rejects.toThrow(/0\.3\.8 is already in the registry, with another image/)
    expect(await world.runningVersion()).toBe("0.3.7")
    await world.pushCommit("fix: go on\n\nRelease-As: 0.3.9")
    expect(await world.release()).toMatch(/^completed: .* 0\.3\.9/)
  })

  test("a typo in the template or the container uses up no version", async () => {
    await world.pushCommit("fix: not yet")
    const tags = await world.remoteTags()
    await expect(world.run(module => module.release(), { template: "nope" })).rejects.toThrow(
      /no such task definition[\s\S]*--template/,
    )
    await expect(world.run(module => module.release(), { container: "nope" })).rejects.toThrow(/--container/)
    expect(await world.remoteTags()).toEqual(tags)
  })

  test("plan says what release will do with a version that was claimed and not deployed", async () => {
    await world.run(module => module.push())
    await world.pushCommit("docs: nothing to release")
    const plan = JSON.parse(await world.run(module => module.plan()))
    expect(plan.release).toEqual([expect.stringMatching(/^deploy 0\.3\.10 to hello\/hello by digest/)])
    expect(await world.release()).toMatch(/^completed: .* 0\.3\.10/)
    expect(JSON.parse(await world.run(module => module.plan()))).toMatchObject({
      release: [],
      service: [expect.stringMatching(/^nothing to release since 0\.3\.10: .*hello\/hello runs 0\.3\.10/)],
    })
  })

  test("a release that another one overtakes looks at the service again", async () => {
    world.commit("fix: released by another run")
    const other = world.clone("other")
    await world.pushCommit("docs: after it")
    const { git } = await world.up()
    const at = ["--git-remote", git.url, "--git-endpoint", `tcp://127.0.0.1:${git.port}`]
    const words = [
      "-s",
      "-m",
      project,
      "call",
      "--source",
      other,
      ...at,
      "--git-token",
      "env://TOKEN",
      "release",
    ]
    const { log } = console
    const lines = vi.spyOn(console, "log").mockImplementation(line => {
      log(line)
      // It is over before this one goes on to claim the number.
      if (line !== "test: started") return
      lines.mockRestore()
      const env = { ...world.environment, TOKEN: git.token }
      expect(execFileSync(DAGGER, words, { env }).toString()).toMatch(/^completed: .* 0\.3\.11/)
    })
    expect(await world.release()).toMatch(/^nothing to release since 0\.3\.11: .*hello\/hello runs 0\.3\.11/)
  })
})

describe("a migration", () => {
  const migrate = "python3 hello_world.py --version >&2; test ! -e /nope"

  test("of one version runs once, however many runs of it there are at once", async () => {
    await world.pushCommit("feat: migrated by two")
    const twin = world.clone("twin")
    const migration = "ecs-release/migrate/hello/0-4-0"
    const first = world.release({ migrate: untilFinished })
    await expect.poll(() => world.tasks(migration)).toHaveLength(1)
    const lines = vi.spyOn(console, "log")
    // A command that would fail shows whether it runs.
    const second = world.release({ migrate: "exit 3" }, twin)
    await expect
      .poll(() => lines.mock.calls.flat().join("\n"))
      .toMatch(/of another run is already doing this/)
    lines.mockRestore()
    await world.finish(migration)
    const ends = (await Promise.all([first, second])).map(end => end.split(":")[0])
    expect(ends).toContain("completed")
    expect(await world.tasks(migration)).toHaveLength(1)
    expect(await world.runningVersion()).toBe("0.4.0")
  })

  test("runs once for a version", async () => {
    await world.pushCommit("feat: migrated")
    await world.run(module => module.push())
    expect(await world.release({ migrate: "exit 3" }).catch(String)).toMatch(/failed: the command exited 3/)
    expect(await world.release({ migrate })).toMatch(/^completed[\s\S]*migrate \d/)
    // A command that would fail shows whether it runs.
    expect(await world.release({ migrate: "exit 3" })).toMatch(/^unchanged/)
    const { version } = JSON.parse(await world.run(module => module.plan()))
    await world.run(module => module.deploy("0.3.7"))
    await world.run(module => module.deploy(version))
    expect(await world.release({ migrate: "exit 3" })).toMatch(/^unchanged/)
  })
})

describe("settings", () => {
  test("go live by deploy if HEAD is not a release", async () => {
    await world.pushCommit("docs: no release")
    expect(await world.run(module => module.deploy())).toMatch(
      /^unchanged: hello\/hello already runs 0\.5\.0/,
    )
    await world.pushCommit("feat: not released yet")
    await expect(world.run(module => module.deploy())).rejects.toThrow(/has no image[\s\S]*--image/)
  })

  test.each([
    [{ tagPrefix: "a..b/" }, 900, "", /--tag-prefix/],
    [{ branch: "no branch" }, 900, "", /--branch/],
    [{ platform: "amd64" }, 900, "", /--platform/],
    [{ buildArgs: ["NOPE"] }, 900, "", /build argument "NOPE"/],
    [{ cluster: "a b" }, 900, "", /--cluster/],
    [{}, 0, "", /--timeout/],
    [{}, Number.NaN, "", /--timeout/],
    [{}, 900, "WORST", /severity/],
  ])("%j, timeout %j, severity %j use up no version", async (settings, timeout, severity, message) => {
    const tags = await world.remoteTags()
    await expect(world.run(module => module.release(timeout, severity), settings)).rejects.toThrow(message)
    expect(await world.remoteTags()).toEqual(tags)
  })
})

describe("every function works", () => {
  test("what is released, in words, in a table and as JSON", async () => {
    world.git("checkout", "-q", "--detach", (await world.remoteTags())["v0.5.0"] as string)
    expect(await world.run(module => module.changelog())).toMatch(
      /^## 0\.5\.0 \(.*\n\n### Features\n\n- migrated \(/,
    )
    expect(await world.run(module => module.plan(true))).toMatch(
      /^version +0\.5\.0 .*[\s\S]*A release would\n {2}1\. deploy 0\.5\.0/,
    )
    const status = await world.run(module => module.status())
    expect(status).toMatch(/^version +0\.5\.0$/m)
    expect(status).toMatch(/Last deployments\nVERSION[\s\S]*0\.5\.0 .* completed/)
    expect(await world.run(module => module.history())).toMatch(/^\* +0\.5\.0 .*\n +0\.4\.0 /m)
    world.git("checkout", "-q", "main")
  })

  test("a one-off task, with its output and its exit code", async () => {
    const run = (command: string[]) => world.run(module => module.run(command, "0.5.0"))
    expect(await run(["python3", "hello_world.py", "--version"])).toMatch(
      /^completed: python3 hello_world\.py --version/,
    )
    await expect(run(["sh", "-c", "exit 7"])).rejects.toThrow(/^failed: the command exited 7[\s\S]*→ /)
  })

  test("a gate that asks for a scan fails closed, and what it held back is finished without it", async () => {
    await world.pushCommit("fix: scanned")
    // The emulated registry scans nothing.
    await expect(world.release({ severity: "HIGH" })).rejects.toThrow(/→ /)
    expect(await world.runningVersion()).toBe("0.5.0")
    expect(await world.release()).toMatch(/^completed: /)
  })
})

describe("test, test-report and build never refuse because of a version rule", () => {
  const all = async () => {
    const head = world.git("rev-parse", "HEAD")
    expect(await world.run(module => module.test())).toMatch(`commit ${head.slice(0, 7)}`)
    expect(await world.run(async module => (await module.testReport()).entries())).not.toEqual([])
    const version = `0.0.0-g${head.slice(0, 12)}`
    expect(await world.run(async module => (await module.build()).envVariable("APP_VERSION"))).toBe(version)
    expect(
      await world.run(async module => (await module.build()).label("org.opencontainers.image.version")),
    ).toBe(version)
    await expect(world.run(module => module.version())).rejects.toThrow(/→ /)
  }

  test("a Release-As that is not greater", async () => {
    world.commit("chore: wrong\n\nRelease-As: 0.0.1")
    await all()
    world.git("reset", "-q", "--hard", "HEAD~1")
  })

  test("a number that is taken", async () => {
    world.git("checkout", "-q", "-b", "behind", (await world.remoteTags())["v0.3.6"] as string)
    world.commit("feat: takes 0.4.0")
    await all()
    world.git("checkout", "-q", "main")
  })

  test("a dirty work tree says so", async () => {
    world.git("checkout", "-q", "main")
    cpSync(join(world.source, "Dockerfile"), join(world.source, "new"))
    const version = await world.run(async module => (await module.build()).envVariable("APP_VERSION"))
    expect(version).toBe(`0.0.0-g${world.git("rev-parse", "--short=12", "HEAD")}.changed`)
    world.git("clean", "-fdq")
  })
})
