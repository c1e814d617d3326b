import { dag, type Platform } from "@dagger.io/dagger"
import type { SigningKey } from "./attestation/key.js"
import { type BuildFacts, type Material, provenance, provenanceType } from "./attestation/provenance.js"
import {
  noSbom,
  type Sbom,
  type Scans,
  sbomMediaType,
  sbomsOf,
  sbomType,
  scanImages,
} from "./attestation/sbom.js"
import { signatureArtifact, signatureNote, signImage } from "./attestation/signature.js"
import { envelopeType, type Statement, sealed, statementOf, statementType } from "./attestation/statement.js"
import { identityOf } from "./aws/account.js"
import type { Aws } from "./aws/clients.js"
import { type Access, accessTo } from "./ecr/distribution.js"
import { attach, attached, type Layer, platformsOf } from "./ecr/referrers.js"
import { type Image, Registry } from "./ecr/registry.js"
import { remoteAndBranch } from "./git/remote-branch.js"
import { basesOf, frontendOf, pinned } from "./image/bases.js"
import type { Context } from "./image/context.js"
import { engineIsAtLeast } from "./lib/engine.js"
import { namesIn } from "./lib/list.js"
import { checkProof } from "./proof.js"
import type { Settings } from "./settings.js"
import type { ComputedVersion } from "./version/compute.js"

/** What provenance says of a build, as far as it is known before the push. */
export type Circumstances = Omit<BuildFacts, "version" | "finished">

/** Finds out what provenance will say, before and during the build: who builds what, from which base images. */
export async function circumstancesOf(
  aws: Aws,
  settings: Settings,
  found: ComputedVersion,
  context: Context,
): Promise<Circumstances> {
  const started = new Date()
  const { path, dockerfile, runtimeTarget, platform, buildArgs, compression, tagPrefix } = settings
  const [{ arn }, { repository, ref }, bases, engine] = await Promise.all([
    identityOf(aws),
    remoteAndBranch(found.repository, settings, found.remote),
    basesAsMaterials(context, settings),
    dag.version(),
  ])
  return {
    ...{ repository, ref, commit: found.head.sha, tagPrefix, engine, started, bases },
    parameters: {
      ...{ path, context: settings.context, dockerfile, target: runtimeTarget },
      ...{ platforms: namesIn(platform), buildArgs, compression },
    },
    // Without the session's name, which is different each time.
    builder: arn.includes(":assumed-role/") ? arn.replace(/\/[^/]*$/, "") : arn,
    invocation: arn,
  }
}

async function basesAsMaterials({ files }: Context, settings: Settings): Promise<Material[]> {
  const text = await files.file(settings.dockerfile).contents()
  const platform = namesIn(settings.platform)[0] ?? ""
  const frontend = frontendOf(text)
  const names = await basesOf(text, settings.buildArgs)
  if (frontend && !(await engineIsAtLeast("0.21.0"))) names.push(frontend)
  return Promise.all(
    names.map(async (name): Promise<Material> => {
      const [, reference, sha256] =
        /^(.+)@sha256:([0-9a-f]{64})$/.exec((await pinned(name, platform)) ?? "") ?? []
      return sha256 === undefined
        ? { uri: `docker://${name}` }
        : { uri: `docker://${reference}`, digest: { sha256 } }
    }),
  )
}

/** An image in the registry, and what is said about it. */
export type Attested = { digest: string; version: string; circumstances: Circumstances }

/**
 * Proves where an image came from: attaches its SBOM and its provenance to it in the registry, and if there is a key, a signature of
 * its digest and signed copies of both. Anything already attached stays, so this can be repeated.
 *
 * @param scans the SBOMs; if left out, they are made from the image in the registry
 * @returns what was attached, in words
 * @throws UserError if something that the key did not sign is attached already
 */
export async function attest(
  aws: Aws,
  settings: Settings,
  { digest, version, circumstances }: Attested,
  key: SigningKey | undefined,
  scans?: Scans,
): Promise<string> {
  const { repository } = settings
  const to = await accessTo(aws, repository)
  const { uri } = to
  const says = provenance({ ...circumstances, version, finished: new Date() })
  const statement = statementOf(uri, digest, provenanceType, says)
  const platforms = await platformsOf(to, digest)
  const made =
    settings.sbomImage === noSbom || (scans === undefined && (await haveSboms(to, platforms)))
      ? []
      : await (scans ?? scanPushed(aws, settings, { digest, version, platforms }))
  const sboms = sbomsOf(platforms, made)
  await Promise.all([
    attach(to, digest, "intoto", statementType, () => [plain(statement)]),
    ...sboms.map(({ digest, body }) =>
      attach(to, digest, "sbom", sbomMediaType, () => [{ mediaType: sbomMediaType, body }]),
    ),
    key &&
      attach(to, digest, "sig", signatureArtifact, async () => [
        await signImage(uri, digest, { version, commit: circumstances.commit }, key),
      ]),
    key && attachSigned(to, uri, { digest, statement, sboms }, key),
  ])
  const what = sboms.length === 0 ? "provenance" : "SBOM and provenance"
  if (key === undefined) return `attached ${what}`
  await checkProof(
    to,
    settings,
    { digest, version, commit: circumstances.commit, origin: circumstances },
    key,
  )
  return `attached ${what}, signed by ${key.arn}`
}

/** Attaches signed statements in the layout of `cosign attest`: each to the image that it is about. */
async function attachSigned(
  to: Access,
  uri: string,
  about: { digest: string; statement: Statement; sboms: { digest: string; body: Buffer }[] },
  key: SigningKey,
): Promise<void> {
  const { digest, statement, sboms } = about
  const statements = new Map<string, Statement[]>([[digest, [statement]]])
  for (const { digest, body } of sboms) {
    const sbom = statementOf(uri, digest, sbomType, JSON.parse(body.toString()))
    statements.set(digest, [...(statements.get(digest) ?? []), sbom])
  }
  await Promise.all(
    [...statements].map(([digest, all]) =>
      attach(to, digest, "att", envelopeType, () => Promise.all(all.map(one => sealedLayer(one, key)))),
    ),
  )
}

/** A statement that the key has signed, as cosign attaches it. */
async function sealedLayer(statement: Statement, key: SigningKey): Promise<Layer> {
  const body = Buffer.from(JSON.stringify(await sealed(statement, key.sign)))
  // cosign refuses a layer without the second note.
  const annotations = { predicateType: statement.predicateType, [signatureNote]: "" }
  return { mediaType: envelopeType, body, annotations }
}

/** A statement that nobody signed, as BuildKit attaches it. */
function plain(statement: Statement): Layer {
  const annotations = { "in-toto.io/predicate-type": statement.predicateType }
  return { mediaType: statementType, body: Buffer.from(JSON.stringify(statement)), annotations }
}

/** Whether SBOM and provenance are attached to an image, signed or not. */
export async function isAttested(aws: Aws, settings: Settings, { digest }: Image): Promise<boolean> {
  const from = await accessTo(aws, settings.repository)
  if ((await attached(from, digest, "intoto")) === undefined) return false
  return settings.sbomImage === noSbom || haveSboms(from, await platformsOf(from, digest))
}

/** Whether each of these images has its SBOM. */
async function haveSboms(from: Access, images: { digest: string }[]): Promise<boolean> {
  const found = await Promise.all(images.map(({ digest }) => attached(from, digest, "sbom")))
  return found.every(it => it !== undefined)
}

/** The SBOMs of an image that an earlier run pushed. They are made from the image in the registry, since another build may differ. */
async function scanPushed(
  aws: Aws,
  settings: Settings,
  { digest, version, platforms }: { digest: string; version: string; platforms: { platform?: string }[] },
): Promise<Sbom[]> {
  const registry = await Registry.open(aws, settings.repository, settings.awsEndpoint)
  // An earlier run may have built it for more platforms than are named now.
  const [first = ""] = namesIn(settings.platform)
  const images = await Promise.all(
    platforms.map(({ platform = first }) => registry.pull(digest, platform as Platform)),
  )
  return scanImages(images, settings, registry.uri, version) ?? []
}
