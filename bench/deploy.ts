/**
 * Times a deployment's wait beside the AWS CLI's `update-service` and `wait services-stable`, on the emulator with real
 * containers: how long after ECS's own completion the command returns, and how many API calls a long wait takes.
 */
import { execFile } from "node:child_process"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { promisify } from "node:util"
import { DescribeServicesCommand, ECSClient } from "@aws-sdk/client-ecs"
import type { Aws } from "../ci/src/aws/clients.js"
import { deploy } from "../ci/src/deploy.js"
import { ensureEmulator } from "../offline/aws/emulator.js"
import { ensureDocker } from "../offline/machine/docker.js"
import { ensurePython } from "../offline/machine/packages.js"
import { worldReset } from "../offline/sandbox.js"
import { push, deploy as register } from "../offline/test/aws.deploy.js"
import { TestWorld } from "../offline/test/release.world.js"
import { ratios } from "./measure.js"

const log = (line: string) => void process.stderr.write(`${line}\n`)
const target = { cluster: "hello", service: "hello", container: "app", template: "template-hello" }

/** @param waitSeconds how long the long wait is; 300 by default */
export async function benchDeploy(waitSeconds = Number(process.env.BENCH_WAIT ?? 300)): Promise<string[]> {
  const world = new TestWorld()
  try {
    const docker = await ensureDocker(log)
    const stateDir = world.environment.ECS_RELEASE_STATE
    // A task that never becomes healthy is given up on only after the long wait is over.
    const emulator = await ensureEmulator({ docker, stateDir, log, healthSeconds: waitSeconds + 120 })
    const python = await ensurePython(join(import.meta.dirname, "requirements.txt"), log)
    const credentials = {
      accessKeyId: emulator.env.AWS_ACCESS_KEY_ID,
      secretAccessKey: emulator.env.AWS_SECRET_ACCESS_KEY,
      sessionToken: emulator.env.AWS_SESSION_TOKEN,
    }
    const direct = `http://127.0.0.1:${emulator.port}`
    const ours: Aws = { region: emulator.region, credentials, endpoint: direct }
    const stop = new AbortController()
    const cli = (proxy: string, ...args: string[]) =>
      promisify(execFile)(
        python,
        ["-m", "awscli", "--region", emulator.region, "--endpoint-url", direct, "ecs", ...args],
        {
          env: { ...process.env, ...emulator.env, HTTP_PROXY: proxy, NO_PROXY: "" },
          signal: stop.signal,
        },
      )
    const image = (digest: string) => `127.0.0.1:${emulator.port}/hello@${digest}`
    const digests = [
      await push(docker, emulator, "1.0.0", "well"),
      await push(docker, emulator, "1.1.0", "well"),
      await push(docker, emulator, "1.2.0", "sick"),
    ] as const

    const own = await lag(ours, () =>
      deploy(ours, { ...target, image: image(digests[0]), version: "1.0.0", print: () => {} }),
    )
    const theirs = await lag(ours, async () => {
      await register(emulator, digests[1]) // the CLI's update-service, with the revision that it takes
      await cli("", "wait", "services-stable", "--cluster", "hello", "--services", "hello")
    })
    const waiter = "aws ecs wait services-stable"
    const lags = [
      "deploy: from ECS's own completion to the command's return",
      ...ratios(
        [
          { name: "ecs-release", milliseconds: own * 1000, answer: "" },
          { name: waiter, milliseconds: theirs * 1000, answer: "" },
        ],
        waiter,
      ),
    ]

    const [counted, countedCli] = [countingOwn(emulator.port), await countingProxy()]
    const ends = Promise.allSettled([
      deploy(ours, {
        ...target,
        image: image(digests[2]),
        version: "1.2.0",
        timeoutSeconds: waitSeconds,
        print: () => {},
      }),
      cli(countedCli.url, "wait", "services-stable", "--cluster", "hello", "--services", "hello"),
    ])
    const wait = new Promise<"over">(resolve => setTimeout(() => resolve("over"), waitSeconds * 1000 - 500))
    const early = await Promise.race([wait, ends])
    if (early !== "over") throw new Error(`a wait ended early: ${JSON.stringify(early)}`)
    const [a, b] = [counted.calls(), countedCli.calls()]
    // The waiter would go on until the emulator has given up.
    stop.abort()
    await ends
    counted.close()
    countedCli.close()
    return [
      ...lags,
      `deploy: API calls in a wait of ${waitSeconds} s`,
      `  ecs-release                   ${(a / b).toFixed(2)}×  ${a}`,
      `  ${waiter}  1.00×  ${b}`,
    ]
  } finally {
    await worldReset(world.environment.ECS_RELEASE_STATE, log)
  }
}

/** Seconds from the moment that ECS says the new deployment is completed to the end of the work that waits for it. */
async function lag(aws: Aws, work: () => Promise<unknown>): Promise<number> {
  const client = new ECSClient(aws)
  let completed = 0
  let over = false
  const before = new Set((await deployments(client)).map(({ id }) => id))
  const watch = (async () => {
    while (!over && completed === 0) {
      const fresh = (await deployments(client)).find(({ id }) => !before.has(id))
      if (fresh?.rolloutState === "COMPLETED") completed = performance.now()
      else await new Promise(resolve => setTimeout(resolve, 50))
    }
  })()
  await work()
  const end = performance.now()
  over = true
  await watch
  return Math.max(0, end - (completed || end)) / 1000
}

async function deployments(client: ECSClient) {
  const { services } = await client.send(
    new DescribeServicesCommand({ cluster: "hello", services: ["hello"] }),
  )
  return services?.[0]?.deployments ?? []
}

/** Counts the calls that the AWS SDK in this process makes to a port once a deployment was started. */
function countingOwn(port: number) {
  let calls = 0
  const count = (message: unknown) => {
    const { request } = message as { request: { host: string; getHeader(name: string): unknown } }
    const header = (name: string) => String(request.getHeader(name))
    if (!header("host").endsWith(`:${port}`) || !header("user-agent").includes("aws-sdk-js")) return
    calls = header("x-amz-target").endsWith(".UpdateService") ? 0 : calls + 1
  }
  subscribe("http.client.request.start", count)
  return { calls: () => calls, close: () => unsubscribe("http.client.request.start", count) }
}

/** An HTTP proxy that counts the calls through it. */
async function countingProxy() {
  let calls = 0
  const server = createServer((incoming, answer) => {
    calls += 1
    const { method, url = "", headers } = incoming
    const outgoing = request(url, { method, headers }, response => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    outgoing.on("error", () => answer.destroy())
    incoming.pipe(outgoing)
  })
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, calls: () => calls, close: () => server.close() }
}
