import { afterAll, beforeAll, expect, test } from "vitest"
import type { Aws } from "../../ci/src/aws/clients.js"
import { deploy } from "../../ci/src/deploy.js"
import { wasRolledBack } from "../../ci/src/ecs/rolled-back.js"
import { history } from "../../ci/src/history.js"
import { rollback } from "../../ci/src/rollback.js"
import { runTask } from "../../ci/src/run.js"
import { status } from "../../ci/src/status.js"
import { push } from "./aws.deploy.js"
import { TestWorld } from "./release.world.js"

// The product's deploy against the emulator's service, with real containers. A probe asks the service all along: whatever a
// deployment does, no request may fail.

let world: TestWorld
let aws: Aws
let uri: string
const target = { cluster: "hello", service: "hello", container: "app", template: "template-hello" }
const digests = new Map<string, string>()
const probe = { asked: 0, failed: [] as string[], stop: false }
let probing: Promise<void>

const lines: string[] = []
const print = (line: string) => void lines.push(line)

/** Deploys a version and follows it. */
const bring = (version: string, timeoutSeconds = 120) =>
  deploy(aws, { ...target, image: `${uri}@${digests.get(version)}`, version, timeoutSeconds, print })

beforeAll(async () => {
  world = new TestWorld()
  const { docker, emulator } = await world.up()
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = emulator.env
  aws = {
    region: emulator.region,
    endpoint: `http://127.0.0.1:${emulator.port}`,
    credentials: {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN,
    },
  }
  uri = `127.0.0.1:${emulator.port}/hello`
  const kinds = {
    "1.0.0": "well",
    "1.1.0": "well",
    "1.2.0": "crash",
    "1.3.0": "sick",
    "1.4.0": "well",
  } as const
  for (const [version, kind] of Object.entries(kinds)) {
    digests.set(version, await push(docker, emulator, version, kind))
  }
  probing = (async () => {
    while (!probe.stop) {
      probe.asked += 1
      const answer = await fetch(emulator.appUrl, { signal: AbortSignal.timeout(20_000) }).catch(String)
      if (typeof answer === "string" || !answer.ok) {
        probe.failed.push(typeof answer === "string" ? answer : String(answer.status))
      }
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  })()
})

afterAll(async () => {
  probe.stop = true
  await probing
  await world.remove()
  // No request failed in all that time.
  expect(probe.asked).toBeGreaterThan(0)
  expect(probe.failed).toEqual([])
})

const running = async () => (await fetch((await world.up()).emulator.appUrl)).text()

test("a good version completes, and again it is unchanged", async () => {
  expect(await bring("1.0.0")).toMatchObject({ word: "completed" })
  expect(await running()).toBe("1.0.0")
  const { service } = await world.service()
  expect(await bring("1.0.0")).toMatchObject({ word: "unchanged" })
  expect((await world.service()).service?.deployments?.[0]?.id).toBe(service?.deployments?.[0]?.id)
})

test("a version that crashes is rolled back, with the causes, and the old one keeps serving", async () => {
  const failed = await bring("1.2.0").catch(String)
  expect(failed).toMatch(/rolled back: 1\.2\.0[\s\S]*1\.0\.0/)
  expect(failed).toMatch(/exit code 3/)
  expect(failed).toMatch(/no database/)
  expect(await running()).toBe("1.0.0")
  expect(await wasRolledBack(aws, { ...target, version: "1.2.0" })).toMatchObject({ version: "1.2.0" })
})

test("a version whose health check never passes is rolled back", async () => {
  await expect(bring("1.3.0")).rejects.toThrow(/^rolled back: 1\.3\.0/)
  expect(await running()).toBe("1.0.0")
})

test("an image that is not in ECR is refused before anything is done", async () => {
  // A failed deployment leaves ECS's list by itself after a while.
  const standing = async () =>
    (await world.service()).service?.deployments?.filter(it => it.rolloutState !== "FAILED").map(it => it.id)
  const before = await standing()
  digests.set("9.9.9", `sha256:${"0".repeat(64)}`)
  await expect(bring("9.9.9")).rejects.toThrow(/→/)
  expect(await standing()).toEqual(before)
})

test("of two deployments at once the earlier is superseded and the later completes", async () => {
  // One that is never healthy is in progress until somebody, or the circuit breaker, ends it.
  const earlier = bring("1.3.0").catch(String)
  await expect.poll(() => lines.at(-1)).toMatch(/new tasks/)
  const later = await bring("1.4.0")
  expect(later).toMatchObject({ word: "completed" })
  expect(await earlier).toMatch(/superseded: .*1\.3\.0/)
  expect(await running()).toBe("1.4.0")
})

test("a deploy that is killed and repeated follows the same deployment and starts no second one", async () => {
  const killed = await world.dagger(
    ["call", "--source", world.source, "deploy", "--image", "1.0.0"],
    (line, kill) => {
      if (line.startsWith("started deployment")) kill()
    },
  )
  const id = /started deployment (\S+)/.exec(killed.stderr)?.[1]
  expect(id).toMatch(/^ecs-svc\//)
  const { word } = await bring("1.0.0")
  expect(["completed", "unchanged"]).toContain(word)
  // The one before leaves ECS's list when its tasks are gone.
  const listed = async () => (await world.service()).service?.deployments?.map(it => it.id)
  await expect.poll(listed).toEqual([id])
  expect(await running()).toBe("1.0.0")
})

test("rollback goes to the version before, or to a named one, and status and history show it", async () => {
  const options = { ...target, repository: "hello", timeoutSeconds: 120, print }
  expect(await rollback(aws, options)).toMatchObject({ word: "completed", version: "1.4.0" })
  expect(await rollback(aws, { ...options, to: "1.1.0" })).toMatchObject({
    word: "completed",
    version: "1.1.0",
  })
  expect(await running()).toBe("1.1.0")
  const now = await status(aws, target)
  expect(now).toMatchObject({ version: "1.1.0", digest: digests.get("1.1.0"), desired: 1, running: 1 })
  const { versions } = await history(aws, { repository: "hello", running: new Set([now.digest ?? ""]) })
  expect(versions.filter(it => it.running).map(it => it.version)).toEqual(["1.1.0"])
  expect(versions.map(it => it.version)).toEqual(["1.4.0", "1.3.0", "1.2.0", "1.1.0", "1.0.0"])
})

test("a one-off task runs from the same image, and its exit code decides", async () => {
  const options = {
    ...target,
    image: `${uri}@${digests.get("1.1.0")}`,
    version: "1.1.0",
    timeoutSeconds: 60,
    print,
  }
  expect(await runTask(aws, { ...options, command: ["sh", "-c", "echo migrated"] })).toMatchObject({
    exitCode: 0,
  })
  await expect(runTask(aws, { ...options, command: ["sh", "-c", "exit 4"] })).rejects.toThrow(
    /^failed: the command exited 4/,
  )
  await expect(runTask(aws, { ...options, timeoutSeconds: 3, command: ["sleep", "300"] })).rejects.toThrow(
    /^timed out after 3 s: the task .* was stopped/,
  )
})
