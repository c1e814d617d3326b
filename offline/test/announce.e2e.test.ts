import { join } from "node:path"
import { EventBridge } from "@aws-sdk/client-eventbridge"
import { dag } from "@dagger.io/dagger"
import { chromium } from "playwright-core"
import { Webhook } from "standardwebhooks"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { chromiumProgram } from "../../ci/test/dashboard/chromium.js"
import { githubStandIn, gitlabStandIn, standIn } from "../../ci/test/publish/stand-in.js"
import { ModuleWorld } from "./module.world.js"
import { checked } from "./output.schema.js"

// What others see of releases: notifications, GitHub and GitLab, the changelog, DORA's metrics.

/** Takes pictures of a page, as a desk and a phone show it. */
async function screenshots(address: string, folder: string): Promise<void> {
  const browser = await chromium.launch({ executablePath: await chromiumProgram(), args: ["--no-sandbox"] })
  for (const [name, colorScheme, width] of [
    ["light", "light", 1100],
    ["dark", "dark", 1100],
    ["phone", "dark", 390],
  ] as const) {
    const page = await browser.newPage({
      colorScheme,
      viewport: { width, height: 800 },
      deviceScaleFactor: 1,
    })
    await page.goto(address)
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
  }
  await browser.close()
}

let world: ModuleWorld
let github: Awaited<ReturnType<typeof githubStandIn>>
let receiver: Awaited<ReturnType<typeof standIn>>
let refuses = false
beforeAll(async () => {
  world = new ModuleWorld()
  await world.start()
  const { git } = await world.up()
  const project = git.path.replace(/^\//, "").replace(/\.git$/, "")
  github = await githubStandIn(git.token, project)
  receiver = await standIn(() => [refuses ? 500 : 204])
})
afterAll(async () => {
  await github.close()
  await receiver.close()
  await world.remove()
})

const told = () => receiver.asked.map(({ body }) => `${body.action} ${body.state} ${body.version}`)
const settings = () => ({
  gitApi: github.api,
  webhook: dag.setSecret("webhook", receiver.url),
  webhookSecret: dag.setSecret("webhook-secret", "a secret of this test"),
})
const publish = (folder?: string) =>
  world.run(module => module.release(900, "", "", "text", false, "", "", true), settings(), folder)

describe("release --publish", () => {
  test("makes the release with its notes, the commit's status and the deployment's, and tells the webhook", async () => {
    const commit = await world.pushCommit("feat: begin")
    expect(await publish()).toMatch(
      /^completed: .*0\.1\.0[\s\S]*\nrelease {3}https:\/\/github\.example\.com\/.*v0\.1\.0\n$/,
    )
    expect(github.releases.get("v0.1.0")).toMatchObject({
      name: "v0.1.0",
      body: expect.stringMatching(/^### Features\n\n[\s\S]*- begin \(\[[0-9a-f]{7}\]\(http.*\/commit\//),
    })
    expect(github.statuses.map(({ sha, state }) => [sha, state])).toEqual([
      [commit, "pending"],
      [commit, "success"],
    ])
    expect(github.deployments).toMatchObject([
      { sha: commit, environment: "hello/hello", states: ["in_progress", "success"] },
    ])
    expect(told()).toEqual(["release started 0.1.0", "release completed 0.1.0"])
    for (const { body } of receiver.asked) checked(JSON.stringify(body))
    for (const { headers, text } of receiver.asked as unknown as {
      headers: Record<string, string>
      text: string
    }[])
      expect(new Webhook("a secret of this test", { format: "raw" }).verify(text, headers)).toBeDefined()
  })

  test("is safe to repeat: existing releases stay as they are, and if nothing happens, nothing is sent", async () => {
    const release = { ...github.releases.get("v0.1.0") }
    expect(await publish()).toMatch(/^unchanged: [\s\S]*\nrelease {3}https.*\(was there already\)\n$/)
    expect(github.releases.get("v0.1.0")).toEqual(release)
    expect(told()).toHaveLength(2)
  })

  test("creates what is missing, even for a version that an older commit claimed", async () => {
    github.releases.clear()
    await world.pushCommit("docs: after it")
    expect(await publish()).toMatch(/\nrelease {3}https.*v0\.1\.0\n$/)
    expect(github.releases.get("v0.1.0")?.body).toMatch(/- begin/)
  })

  test("a failing webhook changes nothing, and causes a warning", async () => {
    const lines: string[] = []
    const log = vi.spyOn(console, "log").mockImplementation(line => void lines.push(line))
    refuses = true
    await world.pushCommit("fix: webhook")
    expect(await publish()).toMatch(/^completed: .*0\.1\.1/)
    refuses = false
    log.mockRestore()
    expect(
      lines.filter(line =>
        line.startsWith("warning: could not notify the webhook at 127.0.0.1: it answered 500"),
      ),
    ).toHaveLength(2)
  })

  test("a release that ECS rolls back ends as failure", async () => {
    await world.pushCommit("fix: broken", {
      "app/hello_world.py": 'raise SystemExit("broken on purpose")\n',
      "app/test_hello_world.py": "",
    })
    await expect(publish()).rejects.toThrow(/^rolled back: 0\.1\.2/)
    expect(github.statuses.at(-1)).toMatchObject({
      state: "failure",
      description: expect.stringMatching(/^rolled back: 0\.1\.2/),
    })
    expect(github.deployments.at(-1)?.states).toEqual(["in_progress", "failure"])
    expect(github.releases.has("v0.1.2")).toBe(false)
    expect(told().at(-1)).toBe("release rolled back 0.1.2")
  })

  test("needs a host that it knows, and refuses to send the token in the clear", async () => {
    const release = (changed: object) =>
      world.run(module => module.release(900, "", "", "text", false, "", "", true), {
        ...settings(),
        ...changed,
      })
    await expect(release({ gitApi: "" })).rejects.toThrow(/--publish does not know the host/)
    await expect(release({ gitApi: "http://git.example.com/api/v3" })).rejects.toThrow(/is not sent to http:/)
  })

  test("on GitLab", async () => {
    const { git } = await world.up()
    const gitlab = await gitlabStandIn(git.token, git.path.replace(/^\//, "").replace(/\.git$/, ""))
    await world.pushCommit("fix: works again", {
      "app/hello_world.py": world.git("show", "HEAD~1:app/hello_world.py"),
    })
    const released = await world.run(module => module.release(900, "", "", "text", false, "", "", true), {
      ...settings(),
      gitApi: gitlab.api,
    })
    expect(released).toMatch(/^completed: [\s\S]*\nrelease {3}https:\/\/gitlab\.example\.com\/.*v0\.1\.3\n$/)
    expect(gitlab.deployments.at(-1)?.states).toEqual(["running", "success"])
    await gitlab.close()
  })
})

test("an event bus of the emulator takes the events of deploy and rollback", {
  timeout: 120_000,
}, async () => {
  const events = new EventBridge(await world.root())
  await events.createEventBus({ Name: "releases" })
  const notify = "arn:aws:events:eu-north-1:111122223333:event-bus/releases"
  expect(await world.runAsRoot(module => module.rollback(), { ...settings(), notify })).toMatch(
    /^completed: /,
  )
  expect(told().slice(-2)).toEqual(["rollback started 0.1.1", "rollback completed 0.1.1"])
})

test("the dashboard runs as a service, and shows what the record has", async () => {
  const probe = await standIn(() => [200])
  const port = Number(new URL(probe.url).port)
  await probe.close()
  const text = await world.run(async module => {
    const service = await (await module.dashboard(port)).start()
    const address = await service.endpoint({ scheme: "http" })
    const page = await (await fetch(address)).text()
    if (process.env.SCREENSHOTS) await screenshots(address, process.env.SCREENSHOTS)
    await service.stop()
    return page
  }, settings())
  for (const part of ["hello/hello", "0.1.1", "1 of 1 tasks", "rolled back", "0.1.3", "begin"])
    expect(text).toContain(part)
  expect(text).toMatch(/Service deployment rolled back because of circuit breaker/)
  expect(text).not.toContain("could not be created")
})

describe("what the record says afterwards", () => {
  test("metrics counts what was deployed, rolled back and gone back from", async () => {
    const text = await world.run(module => module.metrics("1h"))
    expect(text).toMatch(/^hello\/hello, .*\ndeployment frequency .* 3 deployments/)
    const [found] = checked(await world.run(module => module.metrics("1h", "", "json"))).services
    expect(found.deploymentFrequency.deployments).toBe(3)
    // 0.1.2 was rolled back by ECS, and 0.1.3 by a person.
    expect(found.changeFailureRate).toMatchObject({ failed: 2, of: 4 })
    expect(found.leadTime.commits).toBeGreaterThan(2)
    expect(found.leadTime.seconds).toBeGreaterThanOrEqual(0)
    expect(found.timeToRestore).toMatchObject({ restored: 2, open: 0 })
    const [line = ""] = (await world.run(module => module.metrics("1h", "", "emf"))).split("\n")
    expect(JSON.parse(line)).toMatchObject({
      Service: "hello",
      DeploymentFrequency: 3,
      ChangeFailureRate: 50,
    })
  })

  test("changelog --since, and the changelog file", async () => {
    const since = await world.run(module => module.changelog("0.1.0"))
    expect([...since.matchAll(/^## (\S+)/gm)].map(([, version]) => version)).toEqual([
      "0.1.3",
      "0.1.2",
      "0.1.1",
    ])
    await expect(world.run(module => module.changelog("7.0.0"))).rejects.toThrow(/no version "7\.0\.0"/)
    const file = await world.run(async module => (await module.changelogFile("docs/CHANGELOG.md")).contents())
    expect([...file.matchAll(/^## \[?([\d.]+)/gm)].map(([, version]) => version)).toEqual([
      "0.1.3",
      "0.1.2",
      "0.1.1",
      "0.1.0",
    ])
    await expect(world.run(module => module.changelogFile("../x"))).rejects.toThrow(
      /--update does not accept/,
    )
  })
})
