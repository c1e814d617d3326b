import { ECR } from "@aws-sdk/client-ecr"
import { KMS } from "@aws-sdk/client-kms"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { defaultSbomImage } from "../../ci/src/attestation/sbom.js"
import { accessTo, digestOf, pushBlob, readBlob, readManifest } from "../../ci/src/ecr/distribution.js"
import type { EcsRelease } from "../../ci/src/index.js"
import { ModuleWorld } from "./module.world.js"

// What a release proves about an image, and what a deployment asks of it.

/** Not the default, which would count as left out, and leave the word to the file. */
const [syft = ""] = defaultSbomImage.split("@")

let world: ModuleWorld
let key: string
let other: string
let signing: Partial<EcsRelease>
beforeAll(async () => {
  world = new ModuleWorld()
  await world.start()
  const kms = new KMS(await world.root())
  const create = async () =>
    (await kms.createKey({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" })).KeyMetadata?.Arn ?? ""
  await kms.createAlias({ AliasName: "alias/release", TargetKeyId: await create() })
  key = "awskms:///alias/release"
  other = `awskms:///${await create()}`
  signing = { signingKey: key, sbomImage: syft }
  world.commit("feat: begin")
  await world.push("main")
  await world.runAsRoot(module => module.release(), signing)
}, 600_000)
afterAll(() => world.remove())

/** The registry, and the released image's digest. */
async function released(version = "0.1.0") {
  const aws = { ...(await world.root()) }
  const to = await accessTo(aws, "hello")
  const { imageDetails } = await new ECR(aws).describeImages({
    repositoryName: "hello",
    imageIds: [{ imageTag: version }],
  })
  return { aws, to, digest: imageDetails?.[0]?.imageDigest ?? "" }
}

describe("what is attached to a released image", () => {
  test("SBOM, provenance, signature and signed statements are referrers of its digest", async () => {
    const { to, digest } = await released()
    const answer = await fetch(`${to.base}/v2/hello/referrers/${digest}`, {
      headers: { authorization: to.authorization },
    })
    const { manifests } = (await answer.json()) as { manifests: { artifactType: string }[] }
    expect(manifests.map(it => it.artifactType).sort()).toEqual([
      "application/spdx+json",
      "application/vnd.dev.cosign.artifact.sig.v1+json",
      "application/vnd.dsse.envelope.v1+json",
      "application/vnd.in-toto+json",
    ])
  })

  test("the SBOM lists what is installed in the image", async () => {
    const bom = JSON.parse(await world.runAsRoot(module => module.sbom("0.1.0")))
    expect(bom.spdxVersion).toBe("SPDX-2.3")
    const names = bom.packages.map((it: { name: string }) => it.name)
    expect(names).toContain("base-files")
    expect(names).toContain("libc6")
    expect(await world.runAsRoot(module => module.sbom("0.1.0"), signing)).toContain('"base-files"')
  })

  test("the provenance names commit, remote, branch, builder, arguments and base images by digest", async () => {
    const { to, digest } = await released()
    const found = await readManifest(to, `${digest.replace(":", "-")}.intoto`)
    const statement = JSON.parse(String(await readBlob(to, found?.manifest.layers?.[0]?.digest ?? "")))
    expect(statement).toMatchObject({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ digest: { sha256: digest.slice(7) } }],
      predicateType: "https://slsa.dev/provenance/v1",
    })
    const { buildDefinition, runDetails } = statement.predicate
    expect(buildDefinition.externalParameters).toMatchObject({
      repository: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\//),
      ref: "refs/heads/main",
      version: "0.1.0",
      dockerfile: "Dockerfile",
      target: "runtime",
      platforms: ["linux/amd64"],
    })
    const [source, ...bases] = buildDefinition.resolvedDependencies
    expect(source.uri).toMatch(/^git\+http.*@refs\/heads\/main$/)
    expect(source.digest.gitCommit).toBe(world.git("rev-parse", "HEAD"))
    expect(bases.length).toBeGreaterThan(0)
    for (const base of bases) expect(base.digest.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(runDetails.builder.id).toMatch(/^arn:aws:/)
    expect(Date.parse(runDetails.metadata.finishedOn)).toBeGreaterThanOrEqual(
      Date.parse(runDetails.metadata.startedOn),
    )
  })
})

describe("deploy --require", () => {
  const deploy = (require: string, settings: Partial<EcsRelease> = signing, image = "0.1.0") =>
    world.runAsRoot(module => module.deploy(image, 900, "text", false, require), settings)

  test("accepts images that the key signed, from this repository and branch", async () => {
    expect(await deploy("signature,provenance")).toMatch(/^unchanged: hello\/hello already runs 0\.1\.0/)
  })

  test("needs a key, and accepts no other word", async () => {
    await expect(deploy("signature", {})).rejects.toThrow(/No signing key is set[\s\S]*--signing-key/)
    await expect(deploy("sbom")).rejects.toThrow(/--require does not accept "sbom"/)
  })

  test.each(["signature", "provenance"])("refuses a %s by another key", async what => {
    await expect(deploy(what, { signingKey: other })).rejects.toThrow(
      /0\.1\.0 is not deployed: its (signature|provenance) was not made by the key/,
    )
  })

  test("refuses another repository, and another branch", async () => {
    await expect(
      deploy("provenance", {
        ...signing,
        ...{ gitRemote: "https://github.com/team/other.git", branch: "main" },
      }),
    ).rejects.toThrow(/Its repository is http.*, not https:\/\/github\.com\/team\/other/)
    await expect(deploy("provenance", { ...signing, branch: "next" })).rejects.toThrow(
      /Its branch is refs\/heads\/main, not refs\/heads\/next/,
    )
  })

  test("refuses an image that was pushed without a key", async () => {
    await world.pushCommit("fix: not signed")
    expect(await world.runAsRoot(module => module.release())).toMatch(/^completed: .* 0\.1\.1/)
    await expect(deploy("signature", signing, "0.1.1")).rejects.toThrow(/it has no signature/)
    await expect(deploy("provenance", signing, "0.1.1")).rejects.toThrow(/it has no signed provenance/)
  })

  describe("refuses what was changed", () => {
    /** Attaches the statements of 0.1.0, changed, to the image 0.1.1, under the tag that is free there. */
    const forged = async (kind: "sig" | "att", change: (text: string) => string) => {
      const [from, to] = [await released(), await released("0.1.1")]
      const found = await readManifest(from.to, `${from.digest.replace(":", "-")}.${kind}`)
      const layers = await Promise.all(
        (found?.manifest.layers ?? []).map(async layer => ({
          ...layer,
          ...(await pushBlob(
            to.to,
            layer.mediaType,
            Buffer.from(change(String(await readBlob(from.to, layer.digest)))),
          )),
        })),
      )
      const subject = { mediaType: found?.mediaType, digest: to.digest, size: 1 }
      const body = Buffer.from(JSON.stringify({ ...JSON.parse(String(found?.body)), layers, subject }))
      const ecr = new ECR(to.aws)
      const imageTag = `${to.digest.replace(":", "-")}.${kind}`
      await ecr.putImage({
        repositoryName: "hello",
        imageManifest: String(body),
        imageManifestMediaType: found?.mediaType,
        imageTag,
      })
      return async () => {
        await ecr.batchDeleteImage({ repositoryName: "hello", imageIds: [{ imageTag }] })
      }
    }

    test("a signature of another digest, and one whose payload was changed", async () => {
      const [first, second] = [await released(), await released("0.1.1")]
      const undo = await forged("sig", text => text)
      await expect(deploy("signature", signing, "0.1.1")).rejects.toThrow(/was not made by the key/)
      await undo()
      await forged("sig", text => text.replace(first.digest, second.digest))
      await expect(deploy("signature", signing, "0.1.1")).rejects.toThrow(/was not made by the key/)
    })

    test("provenance of another image, and one that was changed", async () => {
      const [first, second] = [await released(), await released("0.1.1")]
      const undo = await forged("att", text => text)
      await expect(deploy("provenance", signing, "0.1.1")).rejects.toThrow(/its subject has another digest/)
      await undo()
      await forged("att", text => {
        const envelope = JSON.parse(text)
        const payload = Buffer.from(envelope.payload, "base64")
          .toString()
          .replace(first.digest.slice(7), second.digest.slice(7))
        return JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString("base64") })
      })
      await expect(deploy("provenance", signing, "0.1.1")).rejects.toThrow(/was not made by the key/)
    })

    test("a manifest or blob that does not have its digest", async () => {
      const { to, digest } = await released()
      await expect(readManifest({ ...to, name: "hello" }, digest)).resolves.toMatchObject({ digest })
      const real = globalThis.fetch
      globalThis.fetch = async () => new Response("{}", { headers: { "content-type": "application/json" } })
      try {
        await expect(readManifest(to, digest)).rejects.toThrow(/does not match/)
        await expect(readBlob(to, digestOf(Buffer.from("x")))).rejects.toThrow(/does not match/)
      } finally {
        globalThis.fetch = real
      }
    })
  })
})

describe("what an earlier run, or somebody else, has pushed", () => {
  const unsigned = () => ({ sbomImage: syft })

  test("gets its SBOM and provenance if the run died before", async () => {
    await world.pushCommit("fix: resumed")
    await world.runAsRoot(module => module.push(), unsigned())
    const { aws, to, digest } = await released("0.1.2")
    const tags = ["sbom", "intoto"].map(kind => ({ imageTag: `${digest.replace(":", "-")}.${kind}` }))
    await new ECR(aws).batchDeleteImage({ repositoryName: "hello", imageIds: tags })
    await world.runAsRoot(module => module.push(), unsigned())
    for (const { imageTag } of tags) expect(await readManifest(to, imageTag)).toBeDefined()
  })

  test("is not signed, and with a key not released: anybody who may push could have put it there", async () => {
    await expect(world.runAsRoot(module => module.release(), signing)).rejects.toThrow(
      /The image of 0\.1\.2 was already in the registry, and is not signed by --signing-key[\s\S]*no signature/,
    )
    // Under the commit of a version that nobody has released yet.
    const commit = await world.pushCommit("fix: planted")
    await world.tagImage("0.1.0", commit)
    await expect(world.runAsRoot(module => module.release(), signing)).rejects.toThrow(
      /0\.1\.3 was already in the registry/,
    )
    expect(await world.runningVersion()).toBe("0.1.1")
  })

  test("a version that is a second tag of an older signed image is not deployed", async () => {
    await world.tagImage("0.1.0", "7.0.0")
    await expect(
      world.runAsRoot(module => module.deploy("7.0.0", 900, "text", false, "signature,provenance"), signing),
    ).rejects.toThrow(/Its version is 0\.1\.0, not 7\.0\.0/)
  })

  test("is used by a release if this key has signed it", async () => {
    await world.pushCommit("fix: signed")
    await world.runAsRoot(module => module.push(), signing)
    expect(await world.runAsRoot(module => module.release(), signing)).toMatch(/^completed: .* 0\.1\.4/)
    expect(
      await world.runAsRoot(
        module => module.deploy("0.1.4", 900, "text", false, "signature,provenance"),
        signing,
      ),
    ).toMatch(/^unchanged/)
  })
})

test("without the scanner nothing is claimed", async () => {
  await world.pushCommit("fix: no scanner")
  const tags = await world.remoteTags()
  await expect(
    world.runAsRoot(module => module.push(), { sbomImage: "127.0.0.1:1/team/syft:v1" }),
  ).rejects.toThrow(
    /127\.0\.0\.1:1\/team\/syft:v1, which makes the SBOM, cannot be pulled[\s\S]*--sbom-image none/,
  )
  expect(await world.remoteTags()).toEqual(tags)
})

test("an app's proof is not valid for another app: their tag prefixes differ", async () => {
  await expect(
    world.runAsRoot(module => module.deploy("0.1.4", 900, "text", false, "provenance"), {
      ...signing,
      tagPrefix: "api/",
    }),
  ).rejects.toThrow(/Its tag prefix, which identifies the app, is .*, not api\//)
})
