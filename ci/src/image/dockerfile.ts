import type { Container, Directory, Platform, Secret, Socket } from "@dagger.io/dagger"
import { UserError } from "../lib/errors.js"
import { versionVariable } from "../lib/semver.js"
import { buildSecrets } from "./build-secrets.js"

/** How the Dockerfile is used. */
export type Build = {
  dockerfile: string
  platform: string
  args: string[]
  secrets: { given: Secret[]; ids: string[] }
  ssh?: Socket
}

/** What an image says about itself: its version and its commit. */
export type Stamp = { version: string; revision: string; created: string; source: string }

/**
 * Builds a stage of the Dockerfile.
 *
 * @param target the stage; "" for the last one
 * @param version the value of the build argument `VERSION`; if it is declared late in the Dockerfile, everything above stays cached. It is
 *   not set if the caller sets it, or if a FROM uses it: then it is the version of something else.
 * @throws UserError if there is no Dockerfile or an argument is not KEY=VALUE; ExecError if a RUN fails
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
      `It contains: ${(await context.entries()).slice(0, 12).join(", ") || "nothing"}`,
      "Pass its path with --dockerfile (and the folder to build in with --context); git must track it.",
    )
  }
  return context.dockerBuild({
    dockerfile: build.dockerfile,
    platform: build.platform as Platform,
    target: target || undefined,
    buildArgs: withVersion(parseArgs(build.args), await context.file(build.dockerfile).contents(), version),
    secrets: await buildSecrets(build.secrets.given, listOf(build.secrets.ids)),
    ssh: build.ssh,
  })
}

/** The build arguments, with the app's version unless `VERSION` means something else in this Dockerfile. */
export function withVersion(args: BuildArg[], dockerfile: string, version: string): BuildArg[] {
  const isTaken =
    args.some(({ name }) => name === "VERSION") || /^\s*FROM\s[^#\n]*\$\{?VERSION\b/im.test(dockerfile)
  return isTaken ? args : [...args, { name: "VERSION", value: version }]
}

type BuildArg = { name: string; value: string }

/**
 * Reads build arguments, KEY=VALUE each. In an `.env` they are a JSON list, `buildArgs='["A=1","B=2"]'`: Dagger before
 * 0.20.4 reads it as one; later versions split the text at commas, and this puts the parts together again.
 *
 * @throws UserError if one is not KEY=VALUE
 */
export function parseArgs(given: string[]): BuildArg[] {
  return listOf(given).map(text => {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text) ?? []
    if (name !== undefined && value !== undefined) return { name, value }
    throw new UserError(
      `The build argument ${JSON.stringify(text.slice(0, 100))} is not KEY=VALUE.`,
      "",
      "Pass --build-args KEY=VALUE; with a comma in the value: --build-args '\"KEY=a,b\"'; in .env: buildArgs='[\"KEY=VALUE\"]'",
    )
  })
}

function listOf(given: string[]): string[] {
  const text = given.join(",")
  if (!text.startsWith("[")) return given
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) && list.every(it => typeof it === "string") ? list : given
  } catch {
    return given
  }
}

/**
 * Stamps an image with its version: the environment variable `APP_VERSION` and the labels of the OCI image specification,
 * "Pre-Defined Annotation Keys". Only the image's configuration changes, so every layer stays as it is.
 */
export function stamp(image: Container, { version, revision, created, source }: Stamp): Container {
  const stamped = image
    .withEnvVariable(versionVariable, version)
    .withLabel("org.opencontainers.image.version", version)
    .withLabel("org.opencontainers.image.revision", revision)
    .withLabel("org.opencontainers.image.created", created)
  return source === "" ? stamped : stamped.withLabel("org.opencontainers.image.source", source)
}
