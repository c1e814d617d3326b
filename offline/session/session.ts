import { createHash, randomBytes } from "node:crypto"
import { hostname } from "node:os"
import type { DockerApi } from "./docker.js"
import { UserError } from "./errors.js"
import type { Entry, Manifest } from "./manifest.js"
import { type Argument, Recipe } from "./recipe.js"
import type { Store } from "./store.js"

/** A field's arguments. */
// biome-ignore lint/suspicious/noExplicitAny: the schema has checked the types by then
export type Args = any
/** Makes one field's value from its parent's and its arguments; objects among these come as values. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export type Field = (session: Session, parent: any, args: Args, recipe: Recipe) => unknown
/** Fields by type and name. */
export type Fields = Record<string, Record<string, Field>>

/** Every image, volume and container of sessions has this in its name or as a label, with the checkout's mark after it. */
export const MARK = "ecs-release-session"

/** One session: what its calls share. */
export class Session {
  /** Plain values of secrets that were set, by fingerprint. */
  readonly secrets = new Map<string, string>()
  /** Started services by key. */
  readonly services = new Map<string, Promise<Running>>()
  /** Containers made only to read images' files, by image. */
  readonly readers = new Map<string, Promise<string>>()
  /** Tells this checkout's objects from others'. */
  readonly place: string
  /** Names of images that were asked for: what the session needs. */
  readonly images = new Set<string>()
  /** Begins with the process's number. */
  readonly id = `${process.pid}.${randomBytes(4).toString("hex")}`
  private readonly values = new Map<string, Promise<unknown>>()
  private readonly pending = new Set<Promise<unknown>>()
  private readonly running = new Map<string, Promise<unknown>>()

  constructor(
    readonly docker: DockerApi,
    readonly store: Store,
    private readonly fields: Fields,
    readonly resolveImage: (ref: string) => Promise<string>,
    /** Takes a line of progress; `detail` marks what is shown only on request: commands and their output. */
    readonly log: (line: string, detail?: boolean) => void,
    /** The caller's folder. */
    readonly workdir = process.cwd(),
  ) {
    this.place = createHash("sha256").update(`${hostname()}:${store.dir}`).digest("hex").slice(0, 12)
  }

  /** Runs something in the background; only the session's end waits for it, and its failure is ignored. */
  later(work: Promise<unknown>): void {
    const ended = work.catch(() => {}).finally(() => this.pending.delete(ended))
    this.pending.add(ended)
  }

  /** Waits for everything in the background. */
  async idle(): Promise<void> {
    await Promise.all(this.pending)
  }

  /** The repository of the checkout's images. */
  get repository(): string {
    return `${MARK}/${this.place}`
  }

  /** Names an image of the checkout: asking for one means needing it. */
  imageName(tag: string): string {
    const name = `${this.repository}:${tag}`
    this.images.add(name)
    return name
  }

  /** Labels for a container that must not outlive the session. */
  get labels(): Record<string, string> {
    return { [MARK]: this.place, [`${MARK}.owner`]: this.id }
  }

  /** The value of an object: made on the first call, shared by all later ones. A failure is not kept. */
  evaluate<T>(recipe: Recipe): Promise<T> {
    return this.share(this.values, recipe.digest, () => this.call(recipe), true) as Promise<T>
  }

  /** A plain value of an object. */
  async leaf(
    parent: Recipe | undefined,
    type: string,
    field: string,
    args: Recipe["args"],
  ): Promise<unknown> {
    return this.call(new Recipe(type, field, args, parent), type)
  }

  /** Runs `make` unless it is already running under the same key; then waits for that. */
  once<T>(key: string, make: () => Promise<T>): Promise<T> {
    return this.share(this.running, key, make, false) as Promise<T>
  }

  private async call(recipe: Recipe, type = recipe.parent?.type ?? "Query"): Promise<unknown> {
    const field = this.fields[type]?.[recipe.field]
    if (!field) throw new UserError(`${type}.${recipe.field} is declared but not implemented`)
    const parent = recipe.parent && (await this.evaluate(recipe.parent))
    return field(this, parent, await this.valueOf(recipe.args), recipe)
  }

  private async valueOf(value: Argument): Promise<unknown> {
    if (value instanceof Recipe) return this.evaluate(value)
    if (Array.isArray(value)) return Promise.all(value.map(inner => this.valueOf(inner)))
    if (value === null || typeof value !== "object") return value
    const names = Object.keys(value)
    const values = await Promise.all(names.map(name => this.valueOf(value[name] ?? null)))
    return Object.fromEntries(names.map((name, index) => [name, values[index]]))
  }

  private share(
    map: Map<string, Promise<unknown>>,
    key: string,
    make: () => Promise<unknown>,
    keep: boolean,
  ) {
    const known = map.get(key)
    if (known) return known
    const made = make()
    map.set(key, made)
    made.then(
      () => keep || map.delete(key),
      () => map.delete(key),
    )
    return made
  }
}

/** The part of an image's configuration that the OCI image specification knows. */
export interface ImageConfig {
  Env?: string[]
  Entrypoint?: string[] | null
  Cmd?: string[] | null
  WorkingDir?: string
  User?: string
  Labels?: Record<string, string> | null
  Volumes?: Record<string, object> | null
  StopSignal?: string
  Healthcheck?: object
  Shell?: string[]
  OnBuild?: string[] | null
}

export interface Port {
  port: number
  protocol: "TCP" | "UDP"
}

export type Mount = { path: string } & (
  | { kind: "directory"; manifest: Manifest }
  /** All files of an image, as the daemon has them on its disk: folders to lay over each other, the highest first. */
  | { kind: "image"; layers: string[]; folders: string[] }
  | { kind: "cache"; volume: string }
  | { kind: "temp" }
)

/** What a command left behind. */
export interface Outcome {
  exitCode: number
  stdout: string
  stderr: string
  combined: string
}

/** A container's state, evaluated. */
export interface ContainerValue {
  /** Layers' digests of the uncompressed content, lowest first; the daemon has them. */
  layers: string[]
  /** To be laid over the layers, in order; paths are from the root. */
  edits: Entry[]
  config: ImageConfig
  platform: string
  mounts: Mount[]
  ports: Port[]
  secretEnv: { name: string; secret: SecretValue }[]
  services: { alias: string; service: ServiceValue }[]
  auths: { address: string; username: string; secret: SecretValue }[]
  /** Of the last command. */
  last?: Outcome
  /** True once withDefaultArgs was called. */
  ownArgs?: boolean
  /** The image that it was made from. */
  address?: string
}

/** A directory: its listing, read when asked for. */
export interface DirectoryValue {
  name: string
  load(): Promise<Manifest>
  /** Where it is in a container, so that a part can be read without reading it whole. */
  origin?: { container: ContainerValue; path: string }
}

export interface SecretValue {
  /** Empty for one that has only an address. */
  name: string
  uri: string
  plaintext(): Promise<string>
  /** Names the secret in keys without giving it away; equal for equal values. */
  fingerprint(): Promise<string>
}

/** A Unix socket of the host. */
export interface SocketValue {
  path: string
}

export interface ServiceValue {
  /** Equal for the same service. */
  key: string
  ports: Port[]
  /** A server on the host, or a command to run in a container. */
  run: { host: string } | { container: ContainerValue; args: string[] }
}

/** A started service. */
export interface Running {
  /** The IP address it answers at, from the host and from containers bound to it. */
  address: string
  /** "host" when only the host's own network reaches it. */
  network: string
  stop(): Promise<void>
}
