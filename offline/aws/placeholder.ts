import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DescribeImagesCommand, type ECRClient, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr"
import { type DockerTarget, dockerEnv } from "../machine/docker.js"
import type { Log } from "../machine/home.js"
import { resolveImage } from "../machine/images.js"
import { run } from "../machine/process.js"

/** The app's own base image, as the Dockerfile names it: one image less to get. */
const BASE =
  /^ARG PYTHON_IMAGE=(\S+)/m.exec(readFileSync(join(import.meta.dirname, "../../Dockerfile"), "utf8"))?.[1] ??
  ""

/**
 * Builds the image that the service runs before its first release and pushes it, as `cdk deploy` publishes an image
 * asset. Does nothing when the registry has it. Returns its reference in the registry.
 */
export async function publishPlaceholder(
  docker: DockerTarget,
  ecr: ECRClient,
  repository: string,
  registry: string,
  log: Log,
): Promise<string> {
  const tag = "placeholder"
  const image = `${registry}/${repository}:${tag}`
  const there = await ecr
    .send(new DescribeImagesCommand({ repositoryName: repository, imageIds: [{ imageTag: tag }] }))
    .catch(() => undefined)
  if (there) return image
  const base = await resolveImage(docker, BASE, log)
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}))
  const [user = "", password = ""] = Buffer.from(authorizationData?.[0]?.authorizationToken ?? "", "base64")
    .toString()
    .split(":")
  // A configuration of its own: the token of a passing emulator has no place in the user's.
  const config = mkdtempSync(join(tmpdir(), "docker-config-"))
  const env = { ...dockerEnv(docker), DOCKER_CONFIG: config }
  const step = async (args: string[], input?: string) => {
    const done = await run(docker.cli, args, { env, input })
    if (done.code !== 0)
      throw new Error(`docker ${args[0]} of the placeholder image failed:\n${done.stderr.trim()}`)
  }
  try {
    const context = join(import.meta.dirname, "placeholder")
    await step(["build", "--quiet", "--build-arg", `BASE=${base}`, "--tag", image, context])
    await step(["login", "--username", user, "--password-stdin", registry], password)
    await step(["push", "--quiet", image])
    await step(["image", "rm", image])
  } finally {
    rmSync(config, { recursive: true })
  }
  return image
}
