import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import type { Log } from "../machine/home.js"
import { type Finished, run } from "../machine/process.js"

/** Overwrites branches, because a work tree may rewrite them, but never an existing tag: it may be a claim. */
const TAGS = "refs/tags/*:refs/tags/*"
const BRANCHES = "+refs/heads/*:refs/heads/*"
/** What the work tree last saw of its origin's branches; its origin's HEAD isn't a branch. */
const SEEN = ["refs/remotes/origin/*:refs/heads/*", "^refs/remotes/origin/HEAD"]

/** The serving side of a fetch: it may leave blobs out, and does not care who owns the directory. */
const UPLOAD_PACK = "git -c safe.directory=* -c uploadpack.allowFilter=true upload-pack"

/**
 * Updates the bare repository `bare` to what the origin of the work tree `source` would have: all its branches,
 * tags and HEAD, and those of its origin if that is a directory. Created if missing; fast when nothing has changed.
 * Shallow, partial, empty, detached and linked work trees are fine. If something can't be fetched, that is logged; it isn't an error.
 */
export async function mirror(source: string, bare: string, log: Log): Promise<void> {
  if (!existsSync(join(bare, "HEAD"))) await create(bare)
  const top = (await git(source, ["rev-parse", "--show-toplevel"])).stdout.trim()
  if (!top) return
  const origin = await localOrigin(top)
  const state = [await refs(top), origin ? await refs(origin) : ""].join("\n")
  const seen = join(bare, "mirrored")
  if (existsSync(seen) && readFileSync(seen, "utf8") === state) return
  if (origin) await fetch(bare, origin, [BRANCHES, TAGS], log)
  await fetch(bare, top, SEEN, log)
  await fetch(bare, top, [BRANCHES, TAGS], log)
  await takeHead(bare, top, log)
  writeFileSync(seen, state)
}

async function create(bare: string): Promise<void> {
  // Created beside its place and then moved there: even if the command is killed, an existing one has all its settings.
  const fresh = `${bare}.new`
  rmSync(fresh, { recursive: true, force: true })
  const made = await run("git", ["init", "--quiet", "--bare", "--template=", fresh], { env: environment() })
  if (made.code !== 0) throw new Error(`The git remote could not be created: ${made.stderr.trim()}`)
  for (const [name, value] of [
    ["http.receivepack", "true"],
    ["uploadpack.allowFilter", "true"],
    ["uploadpack.allowAnySHA1InWant", "true"],
    ["receive.autogc", "false"],
    ["gc.auto", "0"],
  ]) {
    await git(fresh, ["config", name as string, value as string])
  }
  rmSync(bare, { recursive: true, force: true })
  renameSync(fresh, bare)
}

async function fetch(bare: string, from: string, refspecs: string[], log: Log): Promise<void> {
  const filter = (await isPartial(from)) ? ["--filter=blob:none"] : []
  const depth =
    existsSync(join(bare, "shallow")) && !(await isShallow(from)) ? ["--unshallow"] : ["--update-shallow"]
  await git(bare, ["config", "remote.source.url", from])
  await git(bare, ["config", "remote.source.uploadpack", UPLOAD_PACK])
  const done = await git(bare, ["fetch", "--quiet", "--no-tags", ...depth, ...filter, "source", ...refspecs])
  // A partial repository's receive-pack hangs on a push whose objects it has (git 2.39, check_connected() leaves the
  // sideband open), and nothing is to be fetched later: the mirror only leaves the blobs out.
  await git(bare, ["config", "--remove-section", "remote.source"])
  await git(bare, ["config", "--unset", "extensions.partialclone"])
  // 1 means that some refs were refused: tags that are already here.
  if (done.code > 1) log(`the git remote could not fetch what ${from} has: ${done.stderr.trim()}`)
}

/**
 * Gives the remote its default branch: the origin's, else one with a usual name, else the one that is checked out. A commit that
 * is checked out without a branch is fetched too.
 */
async function takeHead(bare: string, top: string, log: Log): Promise<void> {
  const origins = (await git(top, ["symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"])).stdout.trim()
  const current = (await git(top, ["symbolic-ref", "--quiet", "HEAD"])).stdout.trim()
  const wanted = [
    origins.replace("refs/remotes/origin/", "refs/heads/"),
    "refs/heads/main",
    "refs/heads/master",
  ]
  const here = (await git(bare, ["for-each-ref", "--format=%(refname)", "refs/heads"])).stdout.split("\n")
  const branch = wanted.find(it => it !== "" && here.includes(it)) ?? current
  if (branch) await git(bare, ["symbolic-ref", "HEAD", branch])
  if (!current && (await git(top, ["rev-parse", "--verify", "--quiet", "HEAD"])).code === 0) {
    await fetch(bare, top, ["+HEAD:refs/offline/detached"], log)
  }
}

/** All refs and HEAD, as one text to compare with. */
async function refs(repository: string): Promise<string> {
  const head = await git(repository, [
    "rev-parse",
    "--symbolic-full-name",
    "HEAD",
    "--verify",
    "--quiet",
    "HEAD",
  ])
  return head.stdout + (await git(repository, ["for-each-ref", "--format=%(objectname) %(refname)"])).stdout
}

/** The directory of the work tree's origin, when that is one. */
async function localOrigin(top: string): Promise<string | undefined> {
  const url = (await git(top, ["config", "--get", "remote.origin.url"])).stdout.trim()
  const path = url.startsWith("file://") ? decodeURIComponent(new URL(url).pathname) : resolve(top, url)
  return url && existsSync(path) ? path : undefined
}

async function isPartial(repository: string): Promise<boolean> {
  return (await git(repository, ["config", "--get-regexp", "^remote\\..*\\.promisor$", "true"])).code === 0
}

async function isShallow(repository: string): Promise<boolean> {
  return (await git(repository, ["rev-parse", "--is-shallow-repository"])).stdout.trim() === "true"
}

function git(directory: string, args: string[]): Promise<Finished> {
  return run("git", ["-c", "safe.directory=*", "-C", directory, ...args], { env: environment() })
}

/** Without the user's settings, and with only the file protocol: git must not go to the network, not even lazily. */
function environment(): NodeJS.ProcessEnv {
  const users = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"))
  return {
    ...Object.fromEntries(users),
    GIT_ALLOW_PROTOCOL: "file",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
  }
}
