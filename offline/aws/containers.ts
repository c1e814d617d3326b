import { createHash } from "node:crypto"
import { realpathSync } from "node:fs"
import { type DockerTarget, dockerEnv } from "../machine/docker.js"
import { run } from "../machine/process.js"

/** What tells one checkout's task containers from another's on the same Docker daemon. */
export function checkoutLabel(stateDir: string): string {
  return `ecs-release-${createHash("sha256").update(realpathSync(stateDir)).digest("hex").slice(0, 12)}`
}

/** Removes the containers that the checkout's emulator ran as ECS tasks when it was on this port. */
export async function removeTaskContainers(
  docker: DockerTarget,
  stateDir: string,
  port: number,
): Promise<void> {
  const label = `label=ministack.instance=${checkoutLabel(stateDir)}:${port}`
  const listed = await run(docker.cli, ["ps", "--all", "--quiet", "--filter", label], {
    env: dockerEnv(docker),
  })
  const containers = listed.stdout.split("\n").filter(Boolean)
  if (containers.length) {
    await run(docker.cli, ["rm", "--force", "--volumes", ...containers], { env: dockerEnv(docker) })
  }
}

/**
 * Removes the references by which Docker knows images of the registry on this port: an image that has another name
 * keeps it, and its layers.
 */
export async function removeTaskImages(docker: DockerTarget, port: number): Promise<void> {
  const env = dockerEnv(docker)
  const format = "{{.Repository}} {{.Tag}} {{.Digest}}"
  const ours = `reference=127.0.0.1:${port}/*`
  const listed = await run(docker.cli, ["image", "ls", "--digests", "--format", format, "--filter", ours], {
    env,
  })
  const names = listed.stdout.split("\n").flatMap(line => {
    const [repository, tag, digest] = line.split(" ")
    const tagged = tag && tag !== "<none>" ? [`${repository}:${tag}`] : []
    return digest && digest !== "<none>" ? [...tagged, `${repository}@${digest}`] : tagged
  })
  if (names.length) await run(docker.cli, ["image", "rm", ...new Set(names)], { env })
}
