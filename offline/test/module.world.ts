import { execFileSync } from "node:child_process"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { ECR } from "@aws-sdk/client-ecr"
import { ECS } from "@aws-sdk/client-ecs"
import { connection, dag } from "@dagger.io/dagger"
import { noSbom } from "../../ci/src/attestation/sbom.js"
import { EcsRelease } from "../../ci/src/index.js"
import { recordOf } from "../aws/emulator.js"
import { dockerEnv, ensureDocker } from "../machine/docker.js"
import { resolveImage } from "../machine/images.js"
import { startSession } from "../session/server.js"
import { TestWorld } from "./release.world.js"

/** A command for a one-off task that runs until `ModuleWorld.finish`. */
export const untilFinished = 'trap "exit 0" USR1; while :; do sleep 0.1; done'

/** A repository and a world of its own, for the module's functions called in this process: many calls, one session. */
export class ModuleWorld extends TestWorld {
  private close: () => Promise<void> = async () => {}
  private outside?: Awaited<ReturnType<TestWorld["up"]>>
  private calls = 0
  /** The session's progress: commands, and what they print. */
  readonly progress: string[] = []

  /** Brings the world up, and opens the session. */
  async start(): Promise<void> {
    const docker = await ensureDocker(() => {})
    await this.up()
    const session = await startSession({
      docker,
      stateDir: join(this.folder, "session"),
      resolveImage: ref => resolveImage(docker, ref, () => {}),
      log: line => this.progress.push(line),
    })
    process.env.DAGGER_SESSION_PORT = String(session.port)
    process.env.DAGGER_SESSION_TOKEN = session.token
    await new Promise<void>((ready, failed) => {
      const open = connection(async () => {
        const end = new Promise<void>(resolve => {
          this.close = async () => {
            resolve()
            await open
            await session.close()
          }
        })
        ready()
        await end
      })
      open.catch(failed)
    })
  }

  /** The world as it was first brought up: unlike a command line, this gives the remote nothing of the repository. */
  override async up() {
    this.outside ??= await super.up()
    return this.outside
  }

  /**
   * Calls a function of the module as `dagger call` would.
   *
   * @param settings settings that differ from the world's
   * @param folder the clone, the repository if left out
   */
  async run<T>(
    call: (module: EcsRelease) => Promise<T>,
    settings: Partial<EcsRelease> = {},
    folder = this.source,
  ): Promise<T> {
    const { emulator, git } = await this.up()
    this.calls += 1
    // A session reads a folder once; a command line has a session of its own.
    const seen = join(this.folder, `call-${this.calls}`)
    cpSync(folder, seen, { recursive: true, verbatimSymlinks: true })
    const service = (port: number) => dag.host().service([{ backend: port, frontend: port }])
    const module = Object.assign(new EcsRelease(dag.host().directory(seen)), {
      gitRemote: git.url,
      gitEndpoint: service(git.port),
      gitToken: dag.setSecret("token", git.token),
      awsEndpoint: service(emulator.port),
      awsAccessKeyId: dag.setSecret("key", emulator.env.AWS_ACCESS_KEY_ID),
      awsSecretAccessKey: dag.setSecret("secret", emulator.env.AWS_SECRET_ACCESS_KEY),
      awsSessionToken: dag.setSecret("session", emulator.env.AWS_SESSION_TOKEN),
      region: emulator.region,
      repository: "hello",
      cluster: "hello",
      service: "hello",
      container: "app",
      template: "template-hello",
      // As in release.world.ts.
      sbomImage: noSbom,
      ...settings,
    })
    return call(module)
  }

  /** What an AWS client needs to act as the emulated account's root, who may do what the pipeline's role may not. */
  async root() {
    const { emulator } = await this.up()
    const credentials = {
      accessKeyId: recordOf(this.environment.ECS_RELEASE_STATE)?.rootKey ?? "",
      secretAccessKey: "unused",
    }
    return { region: emulator.region, endpoint: `http://127.0.0.1:${emulator.port}`, credentials }
  }

  /** As `run`, by the account's root: the pipeline's own role is for the sample service. */
  async runAsRoot<T>(
    call: (module: EcsRelease) => Promise<T>,
    settings: Partial<EcsRelease> = {},
  ): Promise<T> {
    const { credentials } = await this.root()
    return this.run(call, {
      ...settings,
      awsAccessKeyId: dag.setSecret("root", credentials.accessKeyId),
      awsSecretAccessKey: dag.setSecret("unused", credentials.secretAccessKey),
      awsSessionToken: undefined,
    })
  }

  /**
   * Calls `release`.
   *
   * @param folder the clone, the repository if left out
   */
  release({ timeout = 900, severity = "", migrate = "" } = {}, folder?: string): Promise<string> {
    return this.run(module => module.release(timeout, severity, migrate), {}, folder)
  }

  /** Commits, and pushes main to the world's remote. Returns the commit. */
  async pushCommit(message: string, files: Record<string, string> = {}): Promise<string> {
    const commit = this.commit(message, files)
    await this.push("main")
    return commit
  }

  /** A clone of the repository as it is now. */
  clone(name: string): string {
    const folder = join(this.folder, name)
    this.git("clone", "-q", this.source, folder)
    return folder
  }

  /** Pushes to the world's remote. */
  async push(...refs: string[]): Promise<void> {
    const { git } = await this.up()
    this.git("push", "-q", `http://x:${git.token}@127.0.0.1:${git.port}${git.path}`, ...refs)
  }

  /** Puts a tag on an image of the registry, as somebody else might. */
  async tagImage(from: string, to: string): Promise<void> {
    const client = new ECR(await this.aws())
    const { images } = await client.batchGetImage({ repositoryName: "hello", imageIds: [{ imageTag: from }] })
    await client.putImage({
      repositoryName: "hello",
      imageManifest: images?.[0]?.imageManifest,
      imageTag: to,
    })
  }

  /** The tasks that were started under a name. */
  async tasks(startedBy: string): Promise<string[]> {
    const client = new ECS(await this.aws())
    const lists = await Promise.all(
      (["RUNNING", "STOPPED"] as const).map(desiredStatus =>
        client.listTasks({ cluster: "hello", startedBy, desiredStatus }),
      ),
    )
    return lists.flatMap(({ taskArns = [] }) => taskArns)
  }

  /** Ends the one-off tasks of that name that run `untilFinished`. */
  async finish(startedBy: string): Promise<void> {
    const { docker } = await this.up()
    const ids = (await this.tasks(startedBy)).map(arn => arn.split("/").at(-1)?.slice(0, 8))
    for (const id of ids) {
      execFileSync(docker.cli, ["kill", "--signal", "USR1", `ministack-ecs-${id}-app`], {
        env: { ...process.env, ...dockerEnv(docker) },
      })
    }
  }

  override async remove(): Promise<void> {
    await this.close()
    await super.remove()
  }
}
