import { existsSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { type Browser, chromium } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { html } from "../../src/dashboard/html.js"
import { serverOf } from "../../src/dashboard/server.js"
import { isBusy, type ServiceState, type State } from "../../src/dashboard/state.js"
import type { PastDeployment } from "../../src/ecs/past-deployment.js"
import { measure } from "../../src/metrics/measure.js"
import { chromiumProgram } from "./chromium.js"

const now = new Date(Date.UTC(2026, 1, 1, 12))
const before = (hours: number) => new Date(now.getTime() - hours * 3_600_000)
const hostile = `<img src=x onerror="document.title='attacked'">"'&`

const deployments = [
  { id: "a", version: "1.0.0", outcome: "completed" as const, started: before(200), ended: before(199.9) },
  {
    id: "b",
    version: "1.1.0",
    outcome: "rolled back" as const,
    started: before(90),
    ended: before(89.8),
    reason: hostile,
  },
  {
    id: "c",
    version: "1.1.1",
    commit: "c".repeat(40),
    outcome: "completed" as const,
    started: before(5),
    ended: before(4.9),
  },
]
const service = (stage: string, extra: object = {}, more: PastDeployment[] = []): ServiceState => ({
  ...{
    name: `${stage}/web`,
    stage,
    region: "eu-north-1",
    url: `https://${stage}.example.com/`,
    deployments: [...deployments, ...more],
  },
  status: {
    ...{
      service: `${stage}/web`,
      state: "ACTIVE",
      version: "1.1.1",
      commit: "c".repeat(40),
      revision: "web:3",
    },
    ...{ since: before(5), desired: 2, running: 2, pending: 0, text: "" },
    deployments: [{ version: "1.1.1", outcome: "completed" as const }],
    ...extra,
  },
  metrics: measure("web", deployments, { since: before(720), until: now }),
  weeks: Array.from({ length: 12 }, (_, at) =>
    measure("web", deployments, { since: before((12 - at) * 168), until: before((11 - at) * 168) }),
  ),
})
const stateOf = (
  services: ServiceState[],
  outlook = "a release of HEAD would be 1.2.0 (minor: feat)",
): State => ({
  ...{ at: now, read: now.toISOString() },
  apps: [
    {
      ...{ name: "shop", outlook, head: "1.2.0", services, commits: "https://github.com/team/web/commit/" },
      releases: [
        {
          version: "1.2.0",
          date: now.toISOString(),
          pending: true,
          changes: [{ what: hostile, commit: "d".repeat(40), breaking: false, type: "feat" }],
        },
        {
          version: "1.1.1",
          date: before(5).toISOString(),
          pending: false,
          changes: [{ what: "checkout works again", commit: "c".repeat(40), breaking: true, type: "fix" }],
        },
      ],
    },
  ],
})

const state = stateOf([service("staging"), service("production")])
const server = serverOf(async () => state)
let address = ""
beforeAll(async () => {
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => void server.close())
/** Answers are kept for seconds: a new server has none. */
const fresh = async <T>(shown: State, use: (address: string) => Promise<T>): Promise<T> => {
  const other = serverOf(async () => shown)
  await new Promise<void>(resolve => other.listen(0, "127.0.0.1", resolve))
  try {
    return await use(`http://127.0.0.1:${(other.address() as AddressInfo).port}`)
  } finally {
    other.closeAllConnections()
    other.close()
  }
}

describe("the server", () => {
  test("answers only GET, with a policy that allows nothing from other sites and no inline script", async () => {
    const answer = await fetch(address)
    expect(answer.status).toBe(200)
    expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'self'; /)
    expect(answer.headers.get("content-security-policy")).not.toMatch(/unsafe|\*/)
    expect(answer.headers.get("cache-control")).toBe("no-store")
    for (const method of ["POST", "PUT", "DELETE"])
      expect((await fetch(address, { method })).status).toBe(405)
    expect((await fetch(`${address}/../etc/passwd`)).status).toBe(404)
  })

  test("a stranger's page cannot have a browser ask it under its own name", async () => {
    const { request } = await import("node:http")
    const asked = (host: string) =>
      new Promise<number | undefined>(resolve => {
        request(address, { headers: { host } }, answer => {
          answer.resume()
          resolve(answer.statusCode)
        }).end()
      })
    for (const host of ["evil.example.com", "evil.example.com:8080"])
      expect(await asked(host), host).not.toBe(200)
    for (const host of ["localhost:8080", "127.0.0.1:9000", "[::1]:1", "dashboard:8080"])
      expect(await asked(host), host).toBe(200)
  })

  test("a failed read is shown as one, and the error itself does not reach the page", async () => {
    const failing = serverOf(() => Promise.reject(new Error("secret-of-aws")))
    await new Promise<void>(resolve => failing.listen(0, "127.0.0.1", resolve))
    const text = await (await fetch(`http://127.0.0.1:${(failing.address() as AddressInfo).port}`)).text()
    expect(text).toContain("reading ECS’s record")
    expect(text).not.toContain("secret-of-aws")
    failing.closeAllConnections()
    failing.close()
  })

  test("a slow read shows the previous state, and only the first request waits for it", async () => {
    let give: (shown: State) => void = () => {}
    const slow = serverOf(() => new Promise<State>(resolve => (give = resolve)))
    await new Promise<void>(resolve => slow.listen(0, "127.0.0.1", resolve))
    const ask = async () =>
      (await fetch(`http://127.0.0.1:${(slow.address() as AddressInfo).port}/main`)).text()
    expect(await ask()).toContain("reading ECS’s record")
    give(state)
    await expect.poll(ask).toContain("production")
    slow.closeAllConnections()
    slow.close()
  })

  test("however many browsers ask, AWS is called once", async () => {
    let reads = 0
    const counting = serverOf(async () => {
      reads += 1
      return state
    })
    await new Promise<void>(resolve => counting.listen(0, "127.0.0.1", resolve))
    const at = `http://127.0.0.1:${(counting.address() as AddressInfo).port}`
    await Promise.all(Array.from({ length: 20 }, () => fetch(`${at}/main`).then(it => it.text())))
    expect(reads).toBe(1)
    counting.closeAllConnections()
    counting.close()
  })
})

/** On its way. */
const inProgress: PastDeployment = { id: "d", version: "1.2.0", outcome: "in progress", started: now }

test("text is escaped, wherever it is put", () => {
  expect(html`<p title="${hostile}">${[hostile, null, false, 0]}</p>`.text).toBe(
    `<p title="&lt;img src=x onerror=&quot;document.title=&#39;attacked&#39;&quot;&gt;&quot;&#39;&amp;">&lt;img src=x onerror=&quot;document.title=&#39;attacked&#39;&quot;&gt;&quot;&#39;&amp;0</p>`,
  )
})

test("it is busy while something goes on", () => {
  expect(isBusy(stateOf([service("a")]))).toBe(false)
  expect(isBusy(stateOf([service("a", { running: 1 })]))).toBe(true)
  expect(isBusy(stateOf([service("a", {}, [inProgress])]))).toBe(true)
  expect(isBusy(stateOf([{ name: "a", stage: "", region: "", error: "gone" }]))).toBe(false)
})

describe("in a browser", () => {
  let browser: Browser
  beforeAll(async () => {
    const executablePath = await chromiumProgram()
    expect(existsSync(executablePath)).toBe(true)
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })
  }, 600_000)
  afterAll(() => browser?.close())

  /** Opens a page, and gives what the browser complains about. */
  const opened = async (at: string, options: object = {}) => {
    const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, ...options })
    const page = await context.newPage()
    const complaints: string[] = []
    page.on("console", message => message.type() === "error" && complaints.push(message.text()))
    page.on("pageerror", error => complaints.push(error.message))
    await page.goto(at)
    return { page, complaints, close: () => context.close() }
  }

  test("it shows stages, deployments with causes, metrics, versions, and what comes next; nothing of it is run", async () => {
    const { page, complaints, close } = await opened(address)
    const text = await page.innerText("main")
    for (const part of [
      "staging",
      "production",
      "1.1.1",
      "ccccccc",
      "2 of 2 tasks",
      "a release of HEAD would be 1.2.0",
    ])
      expect(text).toContain(part)
    for (const part of [
      "Deployment frequency",
      "Lead time for changes",
      "Change failure rate",
      "Time to restore",
    ])
      expect(text).toContain(part)
    expect(await page.innerText("table")).toContain(hostile)
    expect(await page.innerText("details[open]")).toContain(hostile)
    expect(await page.title()).toBe("shop · ecs-release")
    expect(await page.locator("img").count()).toBe(0)
    expect(await page.locator("a.commit").first().getAttribute("href")).toBe(
      `https://github.com/team/web/commit/${"c".repeat(40)}`,
    )
    expect(complaints).toEqual([])
    await close()
  })

  test("on a phone a deployment's cause can be read without scrolling", async () => {
    const { page, close } = await opened(address, { viewport: { width: 360, height: 800 } })
    const box = await page.locator("td.cause", { hasText: "onerror" }).first().boundingBox()
    expect((box?.x ?? -1) >= 0 && (box?.x ?? 0) + (box?.width ?? 999) <= 360).toBe(true)
    await close()
  })

  test("the page says so if HEAD is the version that runs", async () => {
    const same = stateOf([service("staging", { version: "1.2.0" }), service("production")])
    await fresh(same, async at => {
      const { page, close } = await opened(at)
      expect(await page.innerText(".next")).toMatch(/HEAD is 1\.2\.0, which staging . staging\/web runs/)
      await close()
    })
  })

  test.each([
    ["a phone", 360],
    ["a tablet", 768],
    ["a desk", 1400],
  ])("on %s nothing is cut off sideways", async (_, width) => {
    const { page, close } = await opened(address, { viewport: { width, height: 800 } })
    const [content, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
    expect(content).toBeLessThanOrEqual(shown as number)
    await close()
  })

  test("dark and light differ, and text can be read in both", async () => {
    const colors = async (colorScheme: "dark" | "light") => {
      const { page, close } = await opened(address, { colorScheme })
      const found = await page.evaluate(() => {
        const { backgroundColor, color } = getComputedStyle(document.body)
        return [backgroundColor, color]
      })
      await close()
      return found
    }
    const luminance = (rgb: string) =>
      (rgb.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, it) => sum + Number(it), 0)
    const [dark, light] = [await colors("dark"), await colors("light")]
    expect(luminance(dark[0] ?? "")).toBeLessThan(luminance(dark[1] ?? "") - 300)
    expect(luminance(light[0] ?? "")).toBeGreaterThan(luminance(light[1] ?? "") + 300)
  })

  test("it follows a deployment, keeps what was opened, and says so if the dashboard is gone", async () => {
    let shown = stateOf([service("staging", {}, [inProgress])])
    const changing = serverOf(async () => shown)
    await new Promise<void>(resolve => changing.listen(0, "127.0.0.1", resolve))
    const { page, close } = await opened(`http://127.0.0.1:${(changing.address() as AddressInfo).port}`)
    expect(await page.innerText(".now")).toMatch(/1\.2\.0 in progress/)
    // What runs is what completed, until the new one has.
    expect(await page.innerText(".version")).toBe("1.1.1")
    await page.click("#a0-1\\.1\\.1 summary")
    shown = stateOf([service("staging", { version: "1.2.0" })])
    await page.waitForFunction(() => document.querySelector(".version")?.textContent === "1.2.0", undefined, {
      timeout: 30_000,
    })
    expect(await page.locator("#a0-1\\.1\\.1[open]").count()).toBe(1)
    changing.closeAllConnections()
    changing.close()
    await page.waitForSelector("#lost:not([hidden])", { timeout: 60_000 })
    await close()
  })

  test("a stage that cannot be read says why, beside those that can", async () => {
    const broken: ServiceState = {
      name: "prod/web",
      stage: "production",
      region: "eu-north-1",
      error: `no access ${hostile}`,
    }
    await fresh(stateOf([service("staging"), broken]), async at => {
      const { page, complaints, close } = await opened(at)
      expect(await page.innerText(".card.bad")).toContain(`no access ${hostile}`)
      expect(await page.innerText(".card.good")).toContain("1.1.1")
      expect(complaints).toEqual([])
      await close()
    })
  })
})
