/** The predicate's type (SLSA 1.0, "Provenance"). */
export const provenanceType = "https://slsa.dev/provenance/v1"

/** How the module builds: a Dockerfile of a commit, by a Dagger engine. docs/supply-chain.md describes its parameters. */
export const buildType = "urn:ecs-release:dockerfile:v1"

/** What an image was made of. */
export type Material = {
  uri: string /** Left out if it is not known. */
  digest?: { [algorithm: string]: string }
}

/** What is known about a build. */
export type BuildFacts = {
  /** The remote's HTTPS address. */
  repository: string
  /** `refs/heads/NAME`. */
  ref: string
  commit: string
  version: string
  /** What comes before the v of the app's version tags. */
  tagPrefix: string
  /** Settings that decide what is built. */
  parameters: Record<string, unknown>
  /** The engine's version. */
  engine: string
  /** Who built: an ARN. */
  builder: string
  /** Which run it was: an ARN with the session's name. */
  invocation: string
  started: Date
  finished: Date
  /** The images that the Dockerfile starts from. */
  bases: Material[]
}

/** SLSA's provenance of a build, as far as a release's checks read it. */
export type Provenance = {
  buildDefinition: {
    buildType: string
    externalParameters: {
      repository: string
      ref: string
      version: string
      tagPrefix: string
      [name: string]: unknown
    }
    internalParameters: Record<string, unknown>
    resolvedDependencies: Material[]
  }
  runDetails: {
    builder: { id: string }
    metadata: { invocationId: string; startedOn: string; finishedOn: string }
  }
}

/** Writes the provenance of a build (SLSA 1.0, "Build: Provenance"). Pure. */
export function provenance(facts: BuildFacts): Provenance {
  const { repository, ref, commit, version, tagPrefix, parameters, engine, builder, invocation, bases } =
    facts
  return {
    buildDefinition: {
      buildType,
      externalParameters: { repository, ref, version, tagPrefix, ...parameters },
      internalParameters: { daggerEngine: engine },
      resolvedDependencies: [sourceOf({ repository, ref, commit }), ...bases],
    },
    runDetails: {
      builder: { id: builder },
      metadata: {
        invocationId: invocation,
        startedOn: facts.started.toISOString(),
        finishedOn: facts.finished.toISOString(),
      },
    },
  }
}

function sourceOf({ repository, ref, commit }: Pick<BuildFacts, "repository" | "ref" | "commit">): Material {
  return { uri: `git+${repository}@${ref}`, digest: { gitCommit: commit } }
}

/** What provenance has to say for a deployment. */
export type Expected = {
  repository: string
  ref: string
  tagPrefix: string
  commit?: string
  version?: string
}

/** An address as it is compared: without `.git` at the end, and in lower case. */
function plain(address: string): string {
  return address
    .toLowerCase()
    .replace(/\.git\/?$/, "")
    .replace(/\/$/, "")
}

/** What is wrong with provenance, in words; undefined if it says what is expected. Pure. */
export function mismatch(predicate: unknown, expected: Expected): string | undefined {
  const { buildDefinition } = Object(predicate) as Partial<Provenance>
  const { repository, ref, version, tagPrefix } = buildDefinition?.externalParameters ?? {}
  const differs = (what: string, is: unknown, wanted: string | undefined) =>
    wanted !== undefined && is !== wanted
      ? `Its ${what} is ${is ?? "not said"}, not ${wanted || "empty"}.`
      : undefined
  const commits = [buildDefinition?.resolvedDependencies ?? []]
    .flat()
    .flatMap(it => it?.digest?.gitCommit ?? [])
  return (
    (buildDefinition?.buildType === buildType
      ? undefined
      : `Its build type is different: ${buildDefinition?.buildType ?? "none"}.`) ??
    (plain(String(repository)) === plain(expected.repository)
      ? undefined
      : `Its repository is ${repository ?? "not said"}, not ${expected.repository}.`) ??
    differs("branch", ref, expected.ref) ??
    differs("tag prefix, which identifies the app,", tagPrefix, expected.tagPrefix) ??
    differs("version", version, expected.version) ??
    differs("commit", commits[0], expected.commit)
  )
}
