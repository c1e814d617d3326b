import type { Entry, Manifest } from "./manifest.js"

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
}

/** A directory: its listing, read when asked for. */
export interface DirectoryValue {
  name: string
  load(): Promise<Manifest>
  /** Where it lies in a container, so that a part can be read without reading it whole. */
  origin?: { container: ContainerValue; path: string }
}

/** A file: its name and its entry (whose path doesn't count). */
export interface FileValue {
  name: string
  entry: Entry & { sha: string; size: number }
}

export interface SecretValue {
  /** Empty for one that has only an address. */
  name: string
  uri: string
  plaintext(): Promise<string>
  /** Names the secret in keys without giving it away; equal for equal values. */
  fingerprint(): Promise<string>
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
