import { type Container, dag, type Platform } from "@dagger.io/dagger"
import { openKey, type SigningKey } from "./attestation/key.js"
import { type Material, provenance, provenanceType } from "./attestation/provenance.js"
import { sbomMediaType, sbomType, scan, scannerOf } from "./attestation/sbom.js"
import { signatureArtifact, signatureNote, signImage } from "./attestation/signature.js"
import { envelopeType, type Statement, sealed, statementOf, statementType } from "./attestation/statement.js"
import { identityOf } from "./aws/account.js"
import type { Aws } from "./aws/clients.js"
import { type Access, accessTo } from "./ecr/distribution.js"
import { attach, attached, type Kind, type Layer, platformsOf } from "./ecr/referrers.js"
import { Registry } from "./ecr/registry.js"
import { remoteAndBranch } from "./git/remote-branch.js"
import { basesOf, pinned } from "./image/bases.js"
import type { Context } from "./image/context.js"
import { namesIn } from "./lib/list.js"
import type { Settings } from "./settings.js"
import type { ComputedVersion } from "./version/compute.js"

/** An image whose origin is to be proved. */
export type Made = { found: ComputedVersion; context: Context; digest: string; started: Date }

/** The SBOMs of the images that were built, under way, in the order of the platforms. */
export type Scans = Promise<Buffer[]>

/** The value of `--sbom-image` for no SBOM. */
export const noSbom = "none"

/** Begins to make the SBOMs of images that were built, beside the push. Undefined if there are to be none. */
export function scanImages(
  images: Container[],
  settings: Settings,
  uri: string,
  version: string,
): Scans | undefined {
  if (settings.sbomImage === noSbom) return undefined
  const scanner = scannerOf(settings.sbomImage)
  const scans = Promise.all(images.map(image => scan(scanner, image, { name: uri, version })))
  // Awaited once the push is over.
  scans.catch(() => {})
  return scans
}

/** Loads the scanner, before a version is claimed: without it there would be no SBOM. */
export async function loadScanner({ sbomImage }: Settings): Promise<void> {
  if (sbomImage !== noSbom) await scannerOf(sbomImage).sync()
}

/** Opens the key that signs, if there is one. What AWS Signer signs, ECR has signed by itself. */
export async function signingKey(aws: Aws, { signingKey }: Settings): Promise<SigningKey | undefined> {
  return signingKey.startsWith("awskms:") ? openKey(aws, signingKey) : undefined
}

/**
 * Proves where an image came from: attaches its SBOM and its provenance to it in the registry, and if there is a key, the signature of
 * its digest, and both signed. What is attached already stays, so that it can be repeated.
 *
 * @param scans the SBOMs; if left out, they are made of the image in the registry
 * @returns what was attached, in words
 */
export async function attest(
  aws: Aws,
  settings: Settings,
  made: Made,
  key: SigningKey | undefined,
  scans?: Scans,
): Promise<string> {
  const { repository } = settings
  const { found, digest } = made
  const [to, { uri }] = await Promise.all([accessTo(aws, repository), Registry.open(aws, repository)])
  const [statement, platforms] = await Promise.all([
    provenanceOf(aws, settings, made, uri),
    platformsOf(to, digest),
  ])
  const boms = settings.sbomImage === noSbom ? [] : await (scans ?? scanPushed(aws, settings, made, uri))
  const built = namesIn(settings.platform)
  // Whether an index has a platform's variant written or not, its images are in the order in which they were built.
  const bomOf = (platform: string | undefined, at: number) => boms[built.indexOf(platform ?? "")] ?? boms[at]
  const sboms = platforms.flatMap(({ digest, platform }, at) => {
    const body = bomOf(platform, at)
    return body === undefined ? [] : [{ digest, body }]
  })
  await Promise.all([
    attach(to, digest, "intoto", statementType, [plain(statement)]),
    ...sboms.map(({ digest, body }) =>
      attach(to, digest, "sbom", sbomMediaType, [{ mediaType: sbomMediaType, body }]),
    ),
    key && sign(to, { name: uri, digest, found }, key),
    key && attachSigned(to, uri, { digest, statement, sboms }, key),
  ])
  const what = sboms.length === 0 ? "provenance" : "SBOM and provenance"
  return key ? `attached ${what}, signed by ${key.arn}` : `attached ${what}`
}

/** Whether all that is attached to an image is there. */
export async function isAttested(aws: Aws, settings: Settings, digest: string): Promise<boolean> {
  const from = await accessTo(aws, settings.repository)
  const kinds: Kind[] = settings.signingKey.startsWith("awskms:") ? ["intoto", "sig", "att"] : ["intoto"]
  const images = settings.sbomImage === noSbom ? [] : await platformsOf(from, digest)
  const found = await Promise.all([
    ...kinds.map(kind => attached(from, digest, kind)),
    ...images.map(image => attached(from, image.digest, "sbom")),
  ])
  return found.every(it => it !== undefined)
}

async function sign(
  to: Access,
  { name, digest, found }: { name: string; digest: string; found: ComputedVersion },
  key: SigningKey,
): Promise<void> {
  if (await attached(to, digest, "sig")) return
  const notes = { version: found.version, commit: found.head.sha }
  await attach(to, digest, "sig", signatureArtifact, [await signImage(name, digest, notes, key)])
}

/** Attaches signed statements in the layout of `cosign attest`: to each image those about it. */
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
    [...statements].map(async ([digest, all]) => {
      if (await attached(to, digest, "att")) return
      const layers = all.map(async (one): Promise<Layer> => {
        const body = Buffer.from(JSON.stringify(await sealed(one, key.sign)))
        // cosign refuses a layer without the second note.
        return {
          ...{ mediaType: envelopeType, body },
          annotations: { predicateType: one.predicateType, [signatureNote]: "" },
        }
      })
      await attach(to, digest, "att", envelopeType, await Promise.all(layers))
    }),
  )
}

/** A statement that nobody signed, as BuildKit attaches it. */
function plain(statement: Statement): Layer {
  const annotations = { "in-toto.io/predicate-type": statement.predicateType }
  return { mediaType: statementType, body: Buffer.from(JSON.stringify(statement)), annotations }
}

async function provenanceOf(
  aws: Aws,
  settings: Settings,
  { found, context, digest, started }: Made,
  uri: string,
): Promise<Statement> {
  const { path, dockerfile, runtimeTarget, platform, buildArgs, compression } = settings
  const [identity, { repository, ref }, bases, engine] = await Promise.all([
    identityOf(aws),
    remoteAndBranch(found.repository, settings, found.remote),
    basesAsMaterials(context, settings),
    dag.version(),
  ])
  const { arn } = identity
  return statementOf(
    uri,
    digest,
    provenanceType,
    provenance({
      ...{ repository, ref, commit: found.head.sha, version: found.version, engine, started, bases },
      parameters: {
        ...{ path, context: settings.context, dockerfile, target: runtimeTarget },
        ...{ platforms: namesIn(platform), buildArgs, compression },
      },
      builder:
        arn.startsWith("arn:aws") && arn.includes(":assumed-role/") ? arn.replace(/\/[^/]*$/, "") : arn,
      invocation: arn,
      finished: new Date(),
    }),
  )
}

async function basesAsMaterials({ files }: Context, settings: Settings): Promise<Material[]> {
  const text = await files.file(settings.dockerfile).contents()
  const platform = namesIn(settings.platform)[0] ?? ""
  const names = await basesOf(text, settings.buildArgs)
  const found = await Promise.all(names.map(name => pinned(name, platform)))
  return found.flatMap(reference => {
    const [, name, sha256] = /^(.+)@sha256:([0-9a-f]{64})$/.exec(reference ?? "") ?? []
    return name === undefined || sha256 === undefined ? [] : [{ uri: `docker://${name}`, digest: { sha256 } }]
  })
}

/** The SBOMs of an image that an earlier run has pushed: of what is in the registry, since another build may differ. */
async function scanPushed(
  aws: Aws,
  settings: Settings,
  { found, digest }: Made,
  uri: string,
): Promise<Buffer[]> {
  const registry = await Registry.open(aws, settings.repository, settings.awsEndpoint)
  const images = await Promise.all(
    namesIn(settings.platform).map(platform => registry.pull(digest, platform as Platform)),
  )
  return scanImages(images, settings, uri, found.version) ?? []
}
