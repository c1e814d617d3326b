import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { pipeline } from "node:stream/promises"
import { canInstall, debianSuite, installDebian } from "./debian.js"
import { type DockerTarget, dockerEnv } from "./docker.js"
import { run } from "./process.js"

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

/** All that decides what the Debian image holds, short of the packages' versions. */
export const DEBIAN_RECIPE = [SUITE, ...BOOTSTRAP].join(" ")

/**
 * Makes a minimal Debian root file system from the mirrors and imports it into Docker as `image`.
 * Needs mmdebstrap and root; installs the former on Debian. Throws, saying so, elsewhere.
 */
export async function importDebian(docker: DockerTarget, image: string): Promise<void> {
  if (!existsSync("/usr/bin/mmdebstrap")) {
    if (!canInstall()) {
      throw new Error(
        "Without an image registry, base images are made from Debian packages, which takes root on Debian. " +
          "Connect to a registry, or load the images with `docker load`.",
      )
    }
    await installDebian(["mmdebstrap", "debian-archive-keyring"], () => {})
  }
  const bootstrap = spawn("mmdebstrap", [...BOOTSTRAP, ...(await proxy()), SUITE, "-", ...sources()], {
    stdio: ["ignore", "pipe", "pipe"],
  })
  const changes = ['CMD ["bash"]', "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
  const change = [...changes, "LABEL ecs-release.stand-in-for=debian"].flatMap(line => ["--change", line])
  const load = spawn(docker.cli, ["import", ...change, "-", `${image}-unchecked`], {
    env: dockerEnv(docker),
    stdio: ["pipe", "ignore", "pipe"],
  })
  const ends = [ended(bootstrap), ended(load)] as const
  await pipeline(bootstrap.stdout, load.stdin).catch(() => {}) // the exit codes say more
  const [made, loaded] = await Promise.all(ends)
  if (made.code !== 0 || loaded.code !== 0) {
    throw new Error(`A Debian base image could not be made:\n${(made.code ? made : loaded).stderr}`)
  }
  await run(docker.cli, ["tag", `${image}-unchecked`, image], { env: dockerEnv(docker) })
  await run(docker.cli, ["image", "rm", `${image}-unchecked`], { env: dockerEnv(docker) })
}

/** The host's own Debian sources when they are of the same suite: they are known to be in reach. */
function sources(): string[] {
  const own = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"].find(existsSync)
  return own && debianSuite() === SUITE ? [own] : []
}

async function proxy(): Promise<string[]> {
  const config = await run("apt-config", ["dump", "--format", "%v%n", "Acquire::http::Proxy"])
  return config.stdout.trim() ? [`--aptopt=Acquire::http::Proxy "${config.stdout.trim()}"`] : []
}

function ended(child: ReturnType<typeof spawn>): Promise<{ code: number; stderr: string }> {
  let stderr = ""
  child.stderr?.on("data", data => {
    stderr = (stderr + data).slice(-2000)
  })
  return new Promise(resolve => {
    child.once("error", error => resolve({ code: 127, stderr: error.message }))
    child.once("close", code => resolve({ code: code ?? 1, stderr: stderr.trim() }))
  })
}
