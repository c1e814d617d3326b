import type { Container, Directory, Platform } from "@dagger.io/dagger"
import { UserError } from "./errors.js"

/** How the Dockerfile is used. */
export type Build = { dockerfile: string; platform: string; args: string[] }

/** What an image says of itself, from which commit it comes. */
export type Stamp = { version: string; revision: string; created: string; source: string }

/**
 * Builds a stage of the Dockerfile.
 *
 * @param target the stage; "" for the last one
 * @param version the value of the build argument `VERSION`; declare it late in the Dockerfile, and all before it stays cached
 * @throws UserError where there is no Dockerfile or an argument is not KEY=VALUE; ExecError where a RUN fails
 */
export async function buildStage(
  context: Directory,
  build: Build,
  target: string,
  version: string,
): Promise<Container> {
  if (!(await context.exists(build.dockerfile))) {
    throw new UserError(
      `There is no ${build.dockerfile} in the build context.`,
      `It holds: ${(await context.entries()).slice(0, 12).join(", ") || "nothing"}`,
      "Pass its path with --dockerfile (and the folder to build in with --context); git must track it.",
    )
  }
  return context.dockerBuild({
    dockerfile: build.dockerfile,
    platform: build.platform as Platform,
    target: target || undefined,
    buildArgs: [...build.args.map(parseArg), { name: "VERSION", value: version }],
  })
}

function parseArg(text: string): { name: string; value: string } {
  const at = text.indexOf("=")
  if (at > 0) return { name: text.slice(0, at), value: text.slice(at + 1) }
  throw new UserError(`The build argument "${text}" has no value.`, "", "Pass it as --build-args KEY=VALUE")
}

/**
 * Stamps an image with its version: the environment variable `APP_VERSION` and the labels of the OCI image specification,
 * "Pre-Defined Annotation Keys". Only the image's configuration changes, so every layer stays as it is.
 */
export function stamp(image: Container, { version, revision, created, source }: Stamp): Container {
  const stamped = image
    .withEnvVariable("APP_VERSION", version)
    .withLabel("org.opencontainers.image.version", version)
    .withLabel("org.opencontainers.image.revision", revision)
    .withLabel("org.opencontainers.image.created", created)
  return source === "" ? stamped : stamped.withLabel("org.opencontainers.image.source", source)
}
