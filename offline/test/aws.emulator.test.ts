import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CloudWatchLogsClient, GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs"
import { DescribeImagesCommand, ECRClient } from "@aws-sdk/client-ecr"
import { DescribeTasksCommand, ECSClient, ListTasksCommand, UpdateServiceCommand } from "@aws-sdk/client-ecs"
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { checkoutLabel } from "../aws/containers.js"
import { type Emulator, ensureEmulator, recordOf, resetEmulator, stopEmulator } from "../aws/emulator.js"
import { type DockerTarget, ensureDocker } from "../machine/docker.js"
import { isRunning } from "../machine/process.js"
import { client, deploy, docker, push, service, settled } from "./aws.deploy.js"

const lines: string[] = []
const log = (line: string) => {
  lines.push(line)
}
const stateDir = mkdtempSync(join(tmpdir(), "emulator-"))
let target: DockerTarget
let emulator: Emulator

const ensure = () => ensureEmulator({ docker: target, stateDir, log, healthSeconds: 1 })

/** The checkout's task containers. */
async function containers(): Promise<string[]> {
  const label = `label=ministack.instance=${checkoutLabel(stateDir)}:${emulator.port}`
  return (await docker(target, stateDir, ["ps", "--all", "--quiet", "--filter", label]))
    .split("\n")
    .filter(Boolean)
}

/** What the application's address answers, once the load balancer has a target. */
async function answer(): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const response = await fetch(`${emulator.appUrl}/version`).catch(() => undefined)
    if (response?.ok) return response.text()
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error("the application does not answer")
}

beforeAll(async () => {
  target = await ensureDocker(log)
  emulator = await ensure()
})

afterAll(async () => {
  await resetEmulator(target, stateDir)
  rmSync(stateDir, { recursive: true })
})

describe("the emulated account", () => {
  it("is found again, and not started twice", async () => {
    const record = readFileSync(join(stateDir, "emulator.json"), "utf8")
    expect(await ensure()).toEqual(emulator)
    expect(readFileSync(join(stateDir, "emulator.json"), "utf8")).toBe(record)
    expect(statSync(join(stateDir, "emulator.json")).mode & 0o077).toBe(0)
  })

  it("has a service that says that nothing is released", async () => {
    expect(await answer()).toBe("not released yet\n")
  })

  it("knows the pipeline's role and refuses other credentials as AWS does", async () => {
    const identity = await new STSClient(client(emulator)).send(new GetCallerIdentityCommand({}))
    expect(identity.Arn).toBe("arn:aws:sts::111122223333:assumed-role/hello-pipeline/offline")
    const ask = new DescribeImagesCommand({ repositoryName: "hello" })
    for (const accessKeyId of ["AKIAIOSFODNN7EXAMPLE", "test", "111122223333"]) {
      const wrong = client(emulator, { accessKeyId, secretAccessKey: "test" })
      await expect(new ECRClient(wrong).send(ask)).rejects.toThrow(
        expect.objectContaining({ name: "UnrecognizedClientException" }),
      )
    }
    const credentials = { ...client(emulator).credentials, secretAccessKey: "wrong" }
    await expect(new ECRClient({ ...client(emulator), credentials }).send(ask)).rejects.toThrow(
      expect.objectContaining({ name: "InvalidSignatureException" }),
    )
  })

  it("grants what a release needs and no more", async () => {
    const other = new UpdateServiceCommand({ cluster: "hello", service: "other", desiredCount: 0 })
    await expect(new ECSClient(client(emulator)).send(other)).rejects.toThrow(
      expect.objectContaining({ name: "AccessDeniedException" }),
    )
  })

  it("refuses an image and a task definition that are not there", async () => {
    const image = { repositoryName: "hello", imageIds: [{ imageTag: "9.9.9" }] }
    await expect(new ECRClient(client(emulator)).send(new DescribeImagesCommand(image))).rejects.toThrow(
      expect.objectContaining({ name: "ImageNotFoundException" }),
    )
    const update = { cluster: "hello", service: "hello", taskDefinition: "hello:999" }
    await expect(new ECSClient(client(emulator)).send(new UpdateServiceCommand(update))).rejects.toThrow(
      expect.objectContaining({ name: "ClientException", message: "TaskDefinition not found." }),
    )
  })

  it("lets nobody push or pull without the registry's token", async () => {
    const registry = `127.0.0.1:${emulator.port}`
    const paths = ["/v2/", "/v2/hello/tags/list"]
    for (const path of paths) expect((await fetch(`http://${registry}${path}`)).status).toBe(401)
    const login = docker(
      target,
      stateDir,
      ["login", "--username", "AWS", "--password-stdin", registry],
      "wrong",
    )
    await expect(login).rejects.toThrow(/401|[Uu]nauthorized/)
  })
})

describe("a deployment", () => {
  it("replaces what is running, and is reported in the events", async () => {
    const id = await deploy(emulator, await push(target, emulator, "1.0.0", "well"))
    const { all, own } = await settled(emulator, id)
    expect(own).toMatchObject({ status: "PRIMARY", rolloutState: "COMPLETED", runningCount: 1 })
    expect(all.deployments).toHaveLength(1)
    expect(all.events?.slice(0, 2).map(event => event.message)).toEqual([
      "(service hello) has reached a steady state.",
      `(service hello) (deployment ${id}) deployment completed.`,
    ])
    expect(await answer()).toBe("1.0.0")
    const wanted = new DescribeImagesCommand({ repositoryName: "hello", imageIds: [{ imageTag: "1.0.0" }] })
    const { imageDetails } = await new ECRClient(client(emulator)).send(wanted)
    expect(imageDetails?.[0]?.imageSizeInBytes).toBeGreaterThan(10_000_000)
  })

  it.each([
    ["crash", "EssentialContainerExited", "Essential container in task exited", 3],
    ["sick", "ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group ", undefined],
  ] as const)(
    "that brings a %s container is rolled back while the old one keeps serving",
    async (mode, code, reason, exit) => {
      const digest = await push(target, emulator, `1.1.0-${mode}`, mode)
      const answers = new Set<string>()
      let over = false
      const watch = (async () => {
        while (!over)
          answers.add(await fetch(`${emulator.appUrl}/version`).then(response => response.text(), String))
      })()
      const id = await deploy(emulator, digest)
      const { all, own } = await settled(emulator, id)
      over = true
      await watch
      expect([...answers]).toEqual(["1.0.0"])
      expect(own).toMatchObject({ rolloutState: "FAILED", failedTasks: 2 })
      expect(own?.rolloutStateReason).toBe("ECS deployment circuit breaker: tasks failed to start.")
      const messages = all.events?.map(event => event.message)
      expect(messages).toContain(
        `(service hello) (deployment ${id}) deployment failed: tasks failed to start.`,
      )

      const ecs = new ECSClient(client(emulator))
      const stopped = { cluster: "hello", serviceName: "hello", desiredStatus: "STOPPED" } as const
      const { taskArns } = await ecs.send(new ListTasksCommand(stopped))
      const { tasks } = await ecs.send(new DescribeTasksCommand({ cluster: "hello", tasks: taskArns }))
      const failed = tasks?.filter(task => task.startedBy === id) ?? []
      expect(failed).toHaveLength(2)
      for (const task of failed) {
        expect(task.stopCode).toBe(code)
        expect(task.stoppedReason).toContain(reason)
        expect(task.containers?.[0]?.exitCode).toBe(exit)
      }
      if (mode === "crash") {
        const logStreamName = `app/app/${failed?.[0]?.taskArn?.split("/").at(-1)}`
        const events = new GetLogEventsCommand({ logGroupName: "/ecs/hello", logStreamName })
        const said = await new CloudWatchLogsClient(client(emulator)).send(events)
        expect(said.events?.map(event => event.message)).toEqual(["no database"])
      }
    },
  )
})

describe("the emulator", () => {
  it("comes back after a stop with ports, credentials, images and the service", async () => {
    await stopEmulator(target, stateDir)
    expect(await containers()).toEqual([])
    await expect(fetch(`${emulator.appUrl}/`)).rejects.toThrow()
    const again = await ensure()
    expect([again.port, again.appUrl]).toEqual([emulator.port, emulator.appUrl])
    emulator = again
    expect(await answer()).toBe("1.0.0")
  })

  it("comes back after a kill, with what it had written", async () => {
    const id = await deploy(emulator, await push(target, emulator, "1.2.0", "well"))
    await settled(emulator, id)
    const saved = () => readFileSync(join(stateDir, "aws/ecs.json"), "utf8")
    await expect.poll(saved).toContain(id)
    lines.length = 0
    const running = recordOf(stateDir)?.process
    process.kill(running?.pid ?? 0, "SIGKILL")
    while (isRunning(running)) await new Promise(resolve => setTimeout(resolve, 10))
    emulator = await ensure()
    expect(lines[0]).toMatch(/stopped on its own/)
    expect(await answer()).toBe("1.2.0")
    expect((await service(new ECSClient(client(emulator)))).runningCount).toBe(1)
    expect(await containers()).toHaveLength(1)
  })

  it("leaves nothing after a reset", async () => {
    const { port } = emulator
    await resetEmulator(target, stateDir)
    expect(await containers()).toEqual([])
    expect(existsSync(join(stateDir, "aws"))).toBe(false)
    const ours = ["image", "ls", "--quiet", "--filter", `reference=127.0.0.1:${port}/*`]
    expect(await docker(target, stateDir, ours)).toBe("")
  })
})
