import { dag, type Secret } from "@dagger.io/dagger"
import { UserError } from "../lib/errors.js"

/**
 * The secrets of a build, each under the id that the Dockerfile names (`RUN --mount=type=secret,id=…`). BuildKit mounts them for
 * that one RUN: they are in no layer, no history and no log.
 *
 * @param given the secrets as the caller passed them
 * @param ids an ID for each, in the same order; if there are none, they follow from the secrets' sources
 * @throws UserError if an ID is missing or given twice, or if a secret has no value
 */
export async function buildSecrets(given: Secret[], ids: string[]): Promise<Secret[]> {
  if (ids.length > 0 && ids.length !== given.length) {
    throw new UserError(
      `There are ${given.length} build secrets, but ${ids.length} IDs for them.`,
      "",
      "Pass one --build-secret-id for each --build-secret, in the same order, or none.",
    )
  }
  const sources = await Promise.all(given.map(secret => secret.uri()))
  const named = sources.map((source, at) => ids[at] ?? idOf(source))
  const twice = named.find((id, at) => named.indexOf(id) < at)
  if (twice !== undefined) {
    throw new UserError(
      `Two build secrets have the ID ${twice}.`,
      "",
      "Give them different IDs: pass --build-secret-id once for each.",
    )
  }
  return Promise.all(
    given.map(async (secret, at) => {
      const id = named[at] as string
      return dag.setSecret(id, await read(secret, id, sources[at] as string))
    }),
  )
}

/** `env://NPM_TOKEN` is NPM_TOKEN, `file://secrets/npmrc` is npmrc: as `docker build --secret id=NPM_TOKEN` and `id=npmrc,src=…`. */
function idOf(source: string): string {
  const [, scheme, rest = ""] = /^(env|file):\/\/(.*)$/.exec(source) ?? []
  const id = scheme && rest.split("/").at(-1)
  if (id) return id
  throw new UserError(
    "A build secret has no ID: only secrets from env:// and file:// get one by themselves.",
    "",
    "Pass --build-secret-id, once for each --build-secret, in the same order.",
  )
}

async function read(secret: Secret, id: string, source: string): Promise<string> {
  try {
    return await secret.plaintext()
  } catch {
    throw new UserError(
      `The build secret ${id} has no value.`,
      "",
      source.startsWith("env://")
        ? `Set ${source.slice("env://".length)} in the environment of the command.`
        : "Check what --build-secret names.",
    )
  }
}
