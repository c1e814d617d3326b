import { createHash, createHmac, randomBytes } from "node:crypto"
import * as fs from "node:fs"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { readKept } from "../machine/kept.js"
import { type Entry, Manifest } from "./manifest.js"

/** The size in bytes from which content is streamed; smaller content is held in memory. */
export const LARGE = 1 << 20

/** The content of a file, kept in the store. */
export interface Blob {
  sha: string
  size: number
}

/**
 * What sessions keep on disk, by content: file contents, listings of directories, and records of what was made from
 * what. Everything is written beside its place and renamed into it, so that processes can share it.
 */
export class Store {
  private readonly made = new Set<string>()
  private readonly manifests = new Map<string, Manifest>()
  private salt?: string

  constructor(readonly dir: string) {
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  }

  /** A name for a secret's value that doesn't give the value away, the same in every session of this store. */
  fingerprint(plaintext: string): string {
    this.salt ??= this.readSalt()
    return createHmac("sha256", this.salt).update(plaintext).digest("hex")
  }

  /** Keeps a file's content. */
  putBuffer(content: Buffer | string): Blob {
    const bytes = Buffer.from(content)
    const blob = { sha: createHash("sha256").update(bytes).digest("hex"), size: bytes.length }
    if (!this.has(blob)) this.place(this.blobPath(blob.sha), path => fs.writeFileSync(path, bytes))
    return blob
  }

  /** Keeps what a stream gives. */
  async putStream(content: Readable): Promise<Blob> {
    const path = this.temporary()
    const hash = createHash("sha256")
    let size = 0
    const counted = async function* () {
      for await (const part of content) {
        hash.update(part)
        size += part.length
        yield part
      }
    }
    await pipeline(counted, fs.createWriteStream(path))
    const sha = hash.digest("hex")
    fs.renameSync(path, this.blobPath(sha))
    return { sha, size }
  }

  /** Keeps a copy of a file of the host. */
  async putFile(path: string): Promise<Blob> {
    if (fs.statSync(path).size < LARGE) return this.putBuffer(fs.readFileSync(path))
    return this.putStream(fs.createReadStream(path))
  }

  blobPath(sha: string): string {
    return this.folder("blobs", sha.slice(0, 2), sha)
  }

  /** Kept content. */
  read(sha: string): Buffer {
    return fs.readFileSync(this.blobPath(sha))
  }

  /** Copies kept content to a new file. */
  copyBlob(sha: string, path: string): void {
    fs.copyFileSync(this.blobPath(sha), path)
  }

  /** Keeps a directory's listing. */
  putManifest(entries: Entry[]): Manifest {
    const manifest = new Manifest(entries)
    const known = this.getManifest(manifest.digest)
    if (known) return known
    this.put("dirs", manifest.digest, manifest.entries)
    this.manifests.set(manifest.digest, manifest)
    return manifest
  }

  /** The listing kept under a digest, or undefined. */
  getManifest(digest: string): Manifest | undefined {
    const known = this.manifests.get(digest)
    const entries = known ? undefined : this.get<Entry[]>("dirs", digest)
    if (!entries) return known
    const manifest = new Manifest(entries)
    this.manifests.set(digest, manifest)
    return manifest
  }

  /** The record of a kind kept under a key (hexadecimal), or undefined. */
  get<T>(kind: string, key: string): T | undefined {
    return readKept(join(this.dir, kind, key.slice(0, 2), `${key}.json`))
  }

  put(kind: string, key: string, value: unknown): void {
    this.place(this.folder(kind, key.slice(0, 2), `${key}.json`), path =>
      fs.writeFileSync(path, JSON.stringify(value)),
    )
  }

  /** A new path for a file or folder that is moved or removed soon. */
  temporary(): string {
    return this.folder("tmp", `${process.pid}-${randomBytes(8).toString("hex")}`)
  }

  private has(blob: Blob): boolean {
    return fs.statSync(this.blobPath(blob.sha), { throwIfNoEntry: false })?.size === blob.size
  }

  private place(path: string, write: (path: string) => void): void {
    const temporary = this.temporary()
    write(temporary)
    fs.renameSync(temporary, path)
  }

  private folder(...parts: string[]): string {
    const dir = join(this.dir, ...parts.slice(0, -1))
    if (!this.made.has(dir)) {
      fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
      this.made.add(dir)
    }
    return join(dir, parts.at(-1) ?? "")
  }

  private readSalt(): string {
    const path = join(this.dir, "salt")
    if (!fs.existsSync(path)) {
      this.place(path, aside => fs.writeFileSync(aside, randomBytes(32).toString("hex"), { mode: 0o600 }))
    }
    return fs.readFileSync(path, "utf8")
  }
}

/** A key for a record: the hash of what the made thing depends on. */
export function keyOf(...parts: unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex")
}
