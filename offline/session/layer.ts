import { createHash } from "node:crypto"
import { createWriteStream, rmSync } from "node:fs"
import { posix } from "node:path"
import { Transform } from "node:stream"
import { pipeline } from "node:stream/promises"
import { DockerError } from "./docker.js"
import { UserError } from "./errors.js"
import type { NewLayer } from "./image.js"
import { directoryEntry, type Entry } from "./manifest.js"
import { readerOf } from "./rootfs.js"
import type { Session } from "./session.js"
import { firstHeader, packTar } from "./tar.js"
import type { Edit } from "./values.js"

/**
 * Makes a layer of edits to an image's files, or undefined where nothing changes. A layer names every directory it
 * reaches into, with the owner and permissions the directory has below, or it would lose these.
 */
export async function makeLayer(session: Session, image: string, edits: Edit[]) {
  const layer = new Layer(session, await readerOf(session, image))
  for (const edit of edits) {
    if ("remove" in edit) await layer.remove(edit.remove)
    else await layer.put(edit.at, edit.put)
  }
  return layer.changed ? write(session, layer.sorted()) : undefined
}

async function write(session: Session, entries: Entry[]): Promise<NewLayer & { remove(): void }> {
  const path = session.store.temporary()
  const hash = createHash("sha256")
  const count = new Transform({
    transform(part, _, done) {
      hash.update(part)
      done(null, part)
    },
  })
  await pipeline(packTar(session.store, entries), count, createWriteStream(path))
  return { digest: `sha256:${hash.digest("hex")}`, path, remove: () => rmSync(path, { force: true }) }
}

class Layer {
  changed = false
  private readonly entries = new Map<string, Entry>()
  /** Directories that the image lacks: nothing under them needs to be looked up there. */
  private readonly added = new Set<string>()

  constructor(
    private readonly session: Session,
    private readonly reader: string,
  ) {}

  sorted(): Entry[] {
    return [...this.entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  async put(at: string, entries: readonly Entry[]): Promise<void> {
    this.changed = true
    const top = await this.directory(at)
    const real = new Map([["", top]])
    for (const entry of entries) {
      const parent = real.get(parentOf(entry.path)) ?? top
      const path = join(parent, posix.basename(entry.path))
      if (entry.type === "directory") {
        const dir = await this.directory(`/${path}`)
        real.set(entry.path, dir)
        this.entries.set(dir, { ...entry, path: dir })
      } else this.entries.set(path, { ...entry, path })
    }
  }

  async remove(path: string): Promise<void> {
    const found = await this.lookUp(path)
    if (!found) return
    this.changed = true
    const dir = await this.directory(posix.dirname(path))
    const whiteout = join(dir, `.wh.${posix.basename(path)}`)
    const empty = { ...this.session.store.putBuffer(""), type: "file", mode: 0o600, uid: 0, gid: 0 } as const
    this.entries.set(whiteout, { ...empty, path: whiteout })
  }

  /** Makes sure that a directory and its parents are named; gives its path in the layer, links followed. */
  private async directory(path: string, depth = 0): Promise<string> {
    if (path === "/" || path === "") return ""
    if (depth > 40) throw new UserError(`${path}: too many levels of symbolic links`)
    const parent = await this.directory(posix.dirname(path), depth)
    const real = join(parent, posix.basename(path))
    const known =
      this.entries.get(real) ?? (this.added.has(parent) ? undefined : await this.lookUp(`/${real}`))
    if (known?.type === "symlink")
      return this.directory(posix.resolve("/", parent, known.target ?? ""), depth + 1)
    if (known && known.type !== "directory") throw new UserError(`path ${path} is a file, not a directory`)
    if (!known) this.added.add(real)
    this.entries.set(real, known ?? directoryEntry(real))
    return real
  }

  /** The entry that the image has at a path, its last name not followed. */
  private async lookUp(path: string): Promise<Entry | undefined> {
    try {
      const tar = await this.session.docker.open("GET", `/containers/${this.reader}/archive`, {
        query: { path },
      })
      const header = await firstHeader(tar)
      if (!header) return undefined
      const { mode = 0, uid = 0, gid = 0, linkname } = header
      const type = header.type === "directory" || header.type === "symlink" ? header.type : "file"
      return {
        path: path.slice(1),
        type,
        mode: mode & 0o7777,
        uid,
        gid,
        ...(linkname ? { target: linkname } : {}),
      }
    } catch (error) {
      if (error instanceof DockerError && error.status === 404) return undefined
      throw error
    }
  }
}

function join(dir: string, name: string): string {
  return dir === "" ? name : `${dir}/${name}`
}

function parentOf(path: string): string {
  const parent = posix.dirname(path)
  return parent === "." ? "" : parent
}
