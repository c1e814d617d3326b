import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ModuleWorld, untilFinished } from "./module.world.js"

// What a release decides, with a remote that has what was pushed and nothing else.

let world: ModuleWorld
beforeAll(async () => {
  world = new ModuleWorld()
  await world.start()
})
afterAll(() => world.remove())

describe("what is released", () => {
  test("the first version", async () => {
    await world.push("main")
    expect(await world.release()).toMatch(/^completed: hello\/hello runs 0\.1\.0/)
  })

  test("a commit that was not pushed is not released, and uses up no version", async () => {
    world.commit("feat: not pushed")
    const tags = await world.remoteTags()
    const refused = /does not contain this commit[\s\S]*→ .*git push[\s\S]*--branch/
    await expect(world.release()).rejects.toThrow(refused)
    await expect(world.run(module => module.push())).rejects.toThrow(refused)
    expect(await world.remoteTags()).toEqual(tags)
    world.git("reset", "-q", "--hard", "HEAD~1")
  })

  test("a commit on another branch is released only if that is the release branch", async () => {
    world.git("checkout", "-q", "-b", "feature")
    world.commit("fix: on a branch")
    await world.push("feature")
    await expect(world.release()).rejects.toThrow(/default branch does not contain this commit/)
    await expect(world.run(module => module.release(), { branch: "nope" })).rejects.toThrow(
      /no such branch.*nope/,
    )
    expect(await world.run(module => module.release(), { branch: "feature" })).toMatch(
      /^completed: .* 0\.1\.1/,
    )
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "--ff-only", "feature")
    await world.push("main")
  })

  test("a detached clone of a commit on the branch is released", async () => {
    await world.pushCommit("fix: detached")
    world.git("checkout", "-q", "--detach")
    expect(await world.release()).toMatch(/^completed: .* 0\.1\.2/)
    world.git("checkout", "-q", "main")
  })
})

describe("a version that was claimed but never reached the service", () => {
  test("is finished by the next release, whatever its commits, if its image is in the registry", async () => {
    const commit = await world.pushCommit("feat: pushed and not deployed")
    await world.run(module => module.push())
    expect(await world.runningVersion()).toBe("0.1.2")
    await world.pushCommit("docs: nothing to release")
    const text = await world.release()
    expect(text).toMatch(/^completed: hello\/hello runs 0\.2\.0/)
    expect(text).toMatch(new RegExp(`^commit +${commit}$`, "m"))
    expect(await world.runningVersion()).toBe("0.2.0")
    expect(await world.release()).toMatch(
      /^nothing to release since 0\.2\.0: .*; hello\/hello runs 0\.2\.0; nothing is deployed/,
    )
  })

  test("is an error that says what to do, if its image is not there", async () => {
    await world.pushCommit("fix: claimed and never built")
    world.git("tag", "v0.2.1")
    await world.push("v0.2.1")
    await world.pushCommit("docs: nothing to release")
    await expect(world.release()).rejects.toThrow(
      /0\.2\.1 was claimed but never released: hello\/hello runs 0\.2\.0[\s\S]*→ .*git checkout v0\.2\.1 && dagger call release/,
    )
    world.git("checkout", "-q", "--detach", "v0.2.1")
    expect(await world.release()).toMatch(/^completed: .* 0\.2\.1/)
    world.git("checkout", "-q", "main")
  })

  test("and was rolled back stays rolled back, and the release says so", async () => {
    await world.pushCommit("feat: to be taken back")
    expect(await world.release()).toMatch(/^completed: .* 0\.3\.0/)
    expect(await world.run(module => module.rollback("v0.2.1"))).toMatch(/^completed: .* 0\.2\.1/)
    await world.pushCommit("docs: after the rollback")
    expect(await world.release()).toMatch(
      /^nothing to release since 0\.3\.0: .*; 0\.3\.0 was rolled back at .*, and hello\/hello runs 0\.2\.1/,
    )
    expect(await world.runningVersion()).toBe("0.2.1")
  })

  test("rollback takes a commit too, and shows its version", async () => {
    const commit = (await world.remoteTags())["v0.3.0"] as string
    expect(await world.run(module => module.rollback(commit))).toMatch(/^completed: .* runs 0\.3\.0/)
  })
})

describe("an older version never replaces a newer one", () => {
  test("not if the newer one is released while this one waits for its migration", async () => {
    await world.pushCommit("fix: slow")
    const slow = world.clone("slow")
    world.git("commit", "-q", "--allow-empty", "-m", "fix: quick")
    await world.push("main")
    const running = world.release({ migrate: untilFinished }, slow)
    const migration = "ecs-release/migrate/hello/0-3-1"
    await expect.poll(() => world.tasks(migration)).toHaveLength(1)
    expect(await world.release()).toMatch(/^completed: .* 0\.3\.2/)
    await world.finish(migration)
    expect(await running).toMatch(/^superseded: .* older than 0\.3\.2/)
    expect(await world.runningVersion()).toBe("0.3.2")
  })

  test("not by deploy of HEAD, but by deploy of a named one", async () => {
    world.git("checkout", "-q", "--detach", (await world.remoteTags())["v0.3.1"] as string)
    await expect(world.run(module => module.deploy())).rejects.toThrow(/^superseded: .* 0\.3\.2/)
    expect(await world.run(module => module.deploy("0.3.1"))).toMatch(/^completed: .* 0\.3\.1/)
    expect(await world.run(module => module.deploy("0.3.2"))).toMatch(/^completed: .* 0\.3\.2/)
    world.git("checkout", "-q", "main")
  })

  test("three pushes within seconds end with the newest, and none is lost", async () => {
    const clones = ["one", "two", "three"].map(name => {
      world.git("commit", "-q", "--allow-empty", "-m", `fix: ${name}`)
      return world.clone(name)
    })
    await world.push("main")
    const ends = await Promise.all(
      clones.map(folder => world.release({}, folder).catch(error => String(error.message))),
    )
    for (const end of ends) expect(end).toMatch(/^(completed|superseded|unchanged)/)
    expect(ends[2]).toMatch(/^completed/)
    const newest = /^version +(\S+)/m.exec(ends[2] as string)?.[1] as string
    expect(await world.runningVersion()).toBe(newest)
    expect((await world.remoteTags())[`v${newest}`]).toBe(world.git("rev-parse", "HEAD"))
  })

  test("runs of one commit at the same time end with one image", async () => {
    await world.pushCommit("fix: at once")
    const folders = ["a", "b", "c"].map(name => world.clone(name))
    const ends = await Promise.all(folders.map(folder => world.release({}, folder)))
    const versions = ends.map(end => /^(?:completed|unchanged): hello\/hello runs (\S+?)[: ]/.exec(end)?.[1])
    expect(versions, ends.join("\n")).toEqual(Array(3).fill(await world.runningVersion()))
    expect(new Set(ends.map(end => /^image .*/m.exec(end)?.[0])).size).toBe(1)
  })
})
