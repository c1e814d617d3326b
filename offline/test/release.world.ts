import { execFileSync, spawn } from "node:child_process"
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { BatchGetImageCommand, DescribeImagesCommand, ECRClient } from "@aws-sdk/client-ecr"
import { DescribeServicesCommand, DescribeTaskDefinitionCommand, ECSClient } from "@aws-sdk/client-ecs"
import { worldReset, worldUp } from "../sandbox.js"

export const project = join(import.meta.dirname, "../..")

/** What a command left behind. */
export type Ran = { code: number; stdout: string; stderr: string }

/** A repository of its own, and an offline world of its own for it. */
export class TestWorld {
  readonly folder = mkdtempSync(join(tmpdir(), "ecs-release-"))
  readonly source = join(this.folder, "source")
  readonly environment: NodeJS.ProcessEnv & { ECS_RELEASE_STATE: string } = {
    ...process.env,
    ECS_RELEASE_STATE: join(this.folder, "state"),
  }

  /** Makes a repository of the sample app, with one commit. */
  constructor(files = ["app", "Dockerfile", ".dockerignore", "ecs-release.yaml"]) {
    mkdirSync(this.environment.ECS_RELEASE_STATE, { recursive: true })
    process.env.ECS_RELEASE_STATE = this.environment.ECS_RELEASE_STATE
    mkdirSync(this.source)
    for (const file of files) cpSync(join(project, file), join(this.source, file), { recursive: true })
    // Most tests are about something else than an SBOM, which takes seconds.
    if (files.includes("ecs-release.yaml"))
      appendFileSync(join(this.source, "ecs-release.yaml"), "sbomImage: none\n")
    this.git("init", "-q", "-b", "main")
    this.commit("feat: first version")
  }

  git(...args: string[]): string {
    const identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    return execFileSync("git", [...identity, ...args], {
      cwd: this.source,
      stdio: ["ignore", "pipe", "pipe"],
    })
      .toString()
      .trim()
  }

  /** Writes files and commits them, with all else that has changed. */
  commit(message: string, files: Record<string, string> = {}): string {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.source, name)), { recursive: true })
      writeFileSync(join(this.source, name), content)
    }
    this.git("add", "-A")
    this.git("commit", "-q", "--allow-empty", "-m", message)
    return this.git("rev-parse", "HEAD")
  }

  /** Runs `dagger call` on the repository. */
  call(...words: string[]): Promise<Ran> {
    return this.dagger(["call", "--source", this.source, ...words])
  }

  /** Runs the command; `watch` sees every line of progress, and may kill it. */
  dagger(words: string[], watch?: (line: string, kill: () => void) => void): Promise<Ran> {
    return new Promise((resolve, reject) => {
      const child = spawn(join(project, "offline/dagger"), words, {
        cwd: project,
        env: this.environment,
        stdio: ["ignore", "pipe", "pipe"],
      })
      const ran: Ran = { code: 0, stdout: "", stderr: "" }
      child.stdout.on("data", data => {
        ran.stdout += data
      })
      let rest = ""
      child.stderr.on("data", data => {
        ran.stderr += data
        const lines = (rest + data).split("\n")
        rest = lines.pop() ?? ""
        for (const line of lines) watch?.(line, () => child.kill("SIGKILL"))
      })
      child.once("error", reject)
      child.once("close", code => resolve({ ...ran, code: code ?? 137 }))
    })
  }

  /** The world outside as the pipeline sees it. */
  async up() {
    return worldUp(this.environment.ECS_RELEASE_STATE, this.source, () => {})
  }

  /** The version that the running service answers. */
  async runningVersion(): Promise<string> {
    const { emulator } = await this.up()
    const answer = await fetch(`${emulator.appUrl}/version`)
    return ((await answer.json()) as { version: string }).version
  }

  /** The tags at the remote, with the commit of each. */
  async remoteTags(): Promise<Record<string, string>> {
    const { git } = await this.up()
    const url = `http://x:${git.token}@127.0.0.1:${git.port}${git.path}`
    const lines = this.git("ls-remote", "--tags", url).split("\n").filter(Boolean)
    return Object.fromEntries(lines.map(line => line.replace("refs/tags/", "").split("\t").reverse()))
  }

  /** The images in the registry: digest by tag, without what is attached to them. */
  async images(): Promise<Record<string, string>> {
    const client = new ECRClient(await this.aws())
    const { imageDetails = [] } = await client.send(new DescribeImagesCommand({ repositoryName: "hello" }))
    return Object.fromEntries(
      imageDetails.flatMap(({ imageTags = [], imageDigest = "" }) =>
        imageTags.filter(tag => !tag.startsWith("sha256-")).map(tag => [tag, imageDigest]),
      ),
    )
  }

  /** The manifest of an image. */
  async manifest(tag: string) {
    const client = new ECRClient(await this.aws())
    const command = new BatchGetImageCommand({ repositoryName: "hello", imageIds: [{ imageTag: tag }] })
    return JSON.parse((await client.send(command)).images?.[0]?.imageManifest ?? "{}")
  }

  /** The service and the task definition that it runs. */
  async service() {
    const client = new ECSClient(await this.aws())
    const { services } = await client.send(
      new DescribeServicesCommand({ cluster: "hello", services: ["hello"] }),
    )
    const service = services?.[0]
    const { taskDefinition, tags } = await client.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: service?.taskDefinition, include: ["TAGS"] }),
    )
    return {
      service,
      taskDefinition,
      tags: Object.fromEntries((tags ?? []).map(({ key, value }) => [key, value])),
    }
  }

  protected async aws() {
    const { emulator } = await this.up()
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = emulator.env
    return {
      region: emulator.region,
      endpoint: `http://127.0.0.1:${emulator.port}`,
      credentials: {
        accessKeyId: AWS_ACCESS_KEY_ID,
        secretAccessKey: AWS_SECRET_ACCESS_KEY,
        sessionToken: AWS_SESSION_TOKEN,
      },
    }
  }

  async remove(): Promise<void> {
    await worldReset(this.environment.ECS_RELEASE_STATE, () => {})
  }
}
