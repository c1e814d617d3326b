import { createHash, generateKeyPairSync, sign } from "node:crypto"
import { DescribeImageSigningStatusCommand } from "@aws-sdk/client-ecr"
import { GetPublicKeyCommand, KMSClient, SignCommand } from "@aws-sdk/client-kms"
import { mockClient } from "aws-sdk-client-mock"
import { beforeEach, describe, expect, test } from "vitest"
import { isKeyReference, openKey, type SigningKey } from "../../src/attestation/key.js"
import { isSignerProfile, requireManagedSignature } from "../../src/attestation/managed.js"
import { buildType, mismatch, type Provenance, provenance } from "../../src/attestation/provenance.js"
import { sbomsOf } from "../../src/attestation/sbom.js"
import { isSignatureOf, signatureNote, signImage } from "../../src/attestation/signature.js"
import { isAbout, opened, sealed, statementOf } from "../../src/attestation/statement.js"
import { parseRequire } from "../../src/attestation/verify.js"
import { basesOf, frontendOf, isOwnFrontend, stagesOf } from "../../src/image/bases.js"
import { aws, ecr } from "../ecs/mock.js"

const kms = mockClient(KMSClient)
const pair = (curve = "P-256") => generateKeyPairSync("ec", { namedCurve: curve })
const digest = `sha256:${"a".repeat(64)}`
const arn = "arn:aws:kms:eu-north-1:111122223333:key/11111111-2222-3333-4444-555555555555"

/** A key in KMS, which signs as KMS does. */
async function keyIn(kmsPair = pair(), spec = "ECC_NIST_P256"): Promise<SigningKey> {
  const { publicKey, privateKey } = kmsPair
  kms.on(GetPublicKeyCommand).resolves({
    ...{ KeyId: arn, KeySpec: spec as "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" },
    PublicKey: publicKey.export({ format: "der", type: "spki" }),
  })
  kms.on(SignCommand).callsFake(({ Message, MessageType, SigningAlgorithm, DryRun }) => {
    expect([MessageType, SigningAlgorithm]).toEqual(["DIGEST", "ECDSA_SHA_256"])
    if (DryRun) throw Object.assign(new Error("would have worked"), { name: "DryRunOperationException" })
    expect(Message).toHaveLength(32)
    return { Signature: signDigest(privateKey, Message) }
  })
  return openKey(aws, "awskms:///alias/release")
}

/** Node signs bytes and not digests: what KMS is given is found among what was to be signed. */
const pending: Buffer[] = []
function signDigest(key: Parameters<typeof sign>[2], message: Uint8Array): Buffer {
  const bytes = pending.find(it => createHash("sha256").update(it).digest().equals(Buffer.from(message)))
  return sign("sha256", bytes ?? Buffer.alloc(0), key)
}
const signing = (key: SigningKey): SigningKey => ({
  ...key,
  sign: bytes => {
    pending.push(bytes)
    return key.sign(bytes)
  },
})

beforeEach(() => {
  kms.reset()
  ecr.reset()
})

describe("a key's reference", () => {
  const uuid = "11111111-2222-3333-4444-555555555555"
  test.each([
    ["awskms:///alias/release", true],
    ["awskms:///alias/team/release", true],
    [`awskms:///${uuid}`, true],
    [`awskms:///${arn}`, true],
    ["awskms:///arn:aws:kms:eu-west-1:111122223333:alias/release", true],
    ["awskms://kms.eu-north-1.amazonaws.com/alias/release", true],
    ["awskms://vpce-0a1b.kms.eu-north-1.vpce.amazonaws.com/alias/release", true],
    ["awskms://evil.example.com/alias/release", false],
    ["awskms://abc.execute-api.us-east-1.amazonaws.com/alias/release", false],
    ["awskms://kms.eu-north-1.amazonaws.com.evil.example/alias/release", false],
    ["awskms:///release", false],
    ["gcpkms://x", false],
    ["alias/release", false],
  ])("%s: %s", (text, isOne) => expect(isKeyReference(text)).toBe(isOne))

  test("names the region of an ARN", async () => {
    kms.on(GetPublicKeyCommand).callsFake(async (_, getClient) => {
      expect(await getClient().config.region()).toBe("eu-west-1")
      throw Object.assign(new Error("no"), { name: "NotFoundException", $fault: "client" })
    })
    await expect(openKey(aws, "awskms:///arn:aws:kms:eu-west-1:111122223333:alias/release")).rejects.toThrow(
      /There is no key arn:aws:kms:eu-west-1:.* in eu-west-1/,
    )
  })

  test("to another kind of key is refused, with how to create the right one", async () => {
    await expect(keyIn(pair("P-384"), "ECC_NIST_P384")).rejects.toThrow(
      /has the key spec ECC_NIST_P384[\s\S]*create-key/,
    )
  })

  test("if the caller may not sign with a key, that is found out early", async () => {
    const key = await keyIn()
    await expect(key.check()).resolves.toBeUndefined()
    kms
      .on(SignCommand)
      .rejects(
        Object.assign(new Error("not authorized"), { name: "AccessDeniedException", $fault: "client" }),
      )
    await expect(key.check()).rejects.toThrow(/not authorized|denied/i)
  })
})

describe("a signature", () => {
  test("is valid for one digest, one key, and the exact bytes only", async () => {
    const key = signing(await keyIn())
    const { body, annotations } = await signImage("registry/web", digest, { version: "1.2.0" }, key)
    const signature = annotations?.[signatureNote]
    expect(isSignatureOf(body, signature, digest, key.publicKey)).toBe(true)
    expect(isSignatureOf(body, signature, digest.replace("a", "b"), key.publicKey)).toBe(false)
    expect(isSignatureOf(Buffer.from(`${body} `), signature, digest, key.publicKey)).toBe(false)
    expect(isSignatureOf(body, signature, digest, pair().publicKey)).toBe(false)
    for (const hostile of [undefined, 5, null, "", "%%%", {}]) {
      expect(isSignatureOf(body, hostile, digest, key.publicKey)).toBe(false)
    }
  })

  test("of something other than an image's payload is not valid", async () => {
    const key = signing(await keyIn())
    for (const text of ["null", "5", "{}", "not json", '{"critical":null}']) {
      const signature = (await key.sign(Buffer.from(text))).toString("base64")
      expect(isSignatureOf(Buffer.from(text), signature, digest, key.publicKey)).toBe(false)
    }
  })
})

describe("an envelope", () => {
  test("opens with the key that sealed it, and with no other", async () => {
    const key = signing(await keyIn())
    const statement = statementOf("registry/web", digest, "https://example.com/p", { a: 1 })
    const body = Buffer.from(JSON.stringify(await sealed(statement, key.sign)))
    expect(opened(body, key.publicKey)).toEqual(statement)
    expect(opened(body, pair().publicKey)).toBeUndefined()
    expect(isAbout(statement, digest)).toBe(true)
    expect(isAbout(statement, `sha256:${"b".repeat(64)}`)).toBe(false)
  })

  test.each([
    "",
    "null",
    "{",
    "[]",
    '{"signatures":5}',
    '{"payloadType":"x","payload":5,"signatures":[]}',
    '{"payloadType":"x","payload":"","signatures":[{"sig":5},null]}',
  ])("what anybody may have pushed does not break it: %s", text =>
    expect(opened(Buffer.from(text), pair().publicKey)).toBeUndefined(),
  )
})

describe("provenance", () => {
  const facts = {
    ...{ repository: "https://github.com/team/web", ref: "refs/heads/main", commit: "c".repeat(40) },
    ...{
      version: "1.2.0",
      tagPrefix: "api/",
      engine: "v0.21.8",
      builder: "arn:aws:sts::1:assumed-role/x",
      invocation: "y",
    },
    ...{
      started: new Date(0),
      finished: new Date(1000),
      bases: [{ uri: "docker://python:3", digest: { sha256: "d" } }],
    },
    parameters: { dockerfile: "Dockerfile" },
  }
  const expected = {
    ...{ repository: "https://github.com/team/web", ref: "refs/heads/main", tagPrefix: "api/" },
    ...{ commit: "c".repeat(40), version: "1.2.0" },
  }

  test("says what is expected", () => {
    expect(mismatch(provenance(facts), expected)).toBeUndefined()
    expect(
      mismatch(provenance(facts), { ...expected, repository: "https://GitHub.com/team/web.git" }),
    ).toBeUndefined()
    expect(
      mismatch(provenance(facts), { ...expected, version: undefined, commit: undefined }),
    ).toBeUndefined()
  })

  test.each([
    ["repository", { repository: "https://github.com/team/other" }, /Its repository is .*web, not .*other/],
    ["branch", { ref: "refs/heads/next" }, /Its branch is refs\/heads\/main/],
    ["app", { tagPrefix: "web/" }, /Its tag prefix, .* is api\/, not web\//],
    ["version", { version: "1.2.1" }, /Its version is 1\.2\.0, not 1\.2\.1/],
    ["commit", { commit: "d".repeat(40) }, /Its commit is c+, not d+/],
  ])("names another %s", (_, changed, why) => {
    expect(mismatch(provenance(facts), { ...expected, ...changed })).toMatch(why)
  })

  test.each([
    null,
    5,
    "x",
    {},
    { buildDefinition: null },
    { buildDefinition: { buildType, externalParameters: 5, resolvedDependencies: 5 } },
  ])("%o is not what is expected, and breaks nothing", hostile =>
    expect(mismatch(hostile, expected)).toMatch(/^It/),
  )

  test("its first material is the commit", () => {
    const { buildDefinition }: Provenance = provenance(facts)
    expect(buildDefinition.resolvedDependencies).toEqual([
      { uri: "git+https://github.com/team/web@refs/heads/main", digest: { gitCommit: "c".repeat(40) } },
      { uri: "docker://python:3", digest: { sha256: "d" } },
    ])
  })
})

describe("the images that a Dockerfile is made from", () => {
  test("those it starts from, copies from and mounts; no stages of its own", async () => {
    const dockerfile = `# syntax=docker/dockerfile:1.7
ARG TAG=3.12
ARG BASE=python:\${TAG}-slim
FROM --platform=$BUILDPLATFORM golang:1.23 AS build
RUN --mount=type=bind,from=busybox:1.37,target=/b true
FROM \${BASE} AS base
COPY --from=build /x /x
COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /uv
COPY --from=0 /y /y
FROM base AS runtime
FROM scratch
`
    expect(await basesOf(dockerfile, [])).toEqual([
      ...["golang:1.23", "python:3.12-slim", "ghcr.io/astral-sh/uv:0.5", "busybox:1.37"],
    ])
    expect(await stagesOf(dockerfile)).toEqual(["build", "base", "runtime"])
    expect(frontendOf(dockerfile)).toBe("docker/dockerfile:1.7")
    expect(await basesOf(dockerfile, ["TAG=3.13"])).toContain("python:3.13-slim")
  })

  test("an argument with a default in place, one without a value, and no FROM at all", async () => {
    expect(await basesOf(`ARG A\nFROM \${A:-alpine:3}\n`, [])).toEqual(["alpine:3"])
    expect(await basesOf("ARG A\nFROM $A\n", [])).toEqual([])
    expect(await basesOf("", [])).toEqual([])
  })
})

test("a Dockerfile's frontend stands at its very top", () => {
  expect(frontendOf("# check=skip=all\r\n#syntax = acme/dockerfile:1\r\nFROM scratch")).toBe(
    "acme/dockerfile:1",
  )
  expect(frontendOf("# A comment\n# syntax=acme/dockerfile:1\nFROM scratch")).toBe(undefined)
  expect(frontendOf("FROM scratch\n# syntax=acme/dockerfile:1")).toBe(undefined)
})

test.each([
  ["docker/dockerfile:1", true],
  ["docker.io/docker/dockerfile-upstream@sha256:abc", true],
  ["public.ecr.aws/docker/dockerfile:1", false],
  ["docker/dockerfile-labs", false],
])("%s as a frontend that an engine knows: %s", (image, known) => expect(isOwnFrontend(image)).toBe(known))

describe("an index's SBOMs", () => {
  const body = (text: string) => Buffer.from(text)
  const made = [
    { platform: "linux/arm64", body: body("arm") },
    { platform: "linux/amd64", body: body("amd") },
  ]

  test("go by the platform, in whatever order the index lists its images, and however it writes them", () => {
    const images = [
      { digest: "sha256:1", platform: "linux/amd64" },
      { digest: "sha256:2", platform: "linux/arm64/v8" },
    ]
    expect(sbomsOf(images, made)).toEqual([
      { digest: "sha256:1", body: body("amd") },
      { digest: "sha256:2", body: body("arm") },
    ])
  })

  test("are not given to an image of another platform", () => {
    const images = [
      { digest: "sha256:1", platform: "linux/amd64" },
      { digest: "sha256:2", platform: "linux/s390x" },
    ]
    expect(() => sbomsOf(images, made)).toThrow(/linux\/s390x/)
  })

  test("a single image has none but its own, and there may be none at all", () => {
    expect(sbomsOf([{ digest: "sha256:1" }], made.slice(0, 1))).toEqual([
      { digest: "sha256:1", body: body("arm") },
    ])
    expect(sbomsOf([{ digest: "sha256:1" }], [])).toEqual([])
  })
})

describe("ECR's managed signing", () => {
  const profile = "arn:aws:signer:eu-north-1:111122223333:/signing-profiles/hello_release"
  const asked = { name: "1.2.0", repository: "web", digest }

  test("its profile's ARN is known", () => {
    expect(isSignerProfile(profile)).toBe(true)
    expect(isSignerProfile(`${profile}/AbCdEfGhIj`)).toBe(true)
    expect(isSignerProfile("arn:aws:iam::111122223333:role/x")).toBe(false)
  })

  test("is enough if ECR says that it is complete, by this profile", async () => {
    ecr.on(DescribeImageSigningStatusCommand).resolves({
      signingStatuses: [{ signingProfileArn: `${profile}/AbCdEfGhIj`, status: "COMPLETE" }],
    })
    await expect(requireManagedSignature(aws, asked, profile)).resolves.toBeUndefined()
  })

  test.each([
    [[], /has not signed it[\s\S]*It has no signature/],
    [
      [{ signingProfileArn: profile.replace("hello", "other"), status: "COMPLETE" as const }],
      /signed with .*other_release/,
    ],
    [
      [
        {
          signingProfileArn: profile,
          status: "FAILED" as const,
          failureCode: "AccessDenied",
          failureReason: "no right",
        },
      ],
      /AccessDenied: no right/,
    ],
  ])("is refused: %o", async (signingStatuses, why) => {
    ecr.on(DescribeImageSigningStatusCommand).resolves({ signingStatuses })
    await expect(requireManagedSignature(aws, asked, profile)).rejects.toThrow(why)
  })
})

test("--require takes two words", () => {
  expect(parseRequire("signature, provenance")).toEqual(["signature", "provenance"])
  expect(parseRequire("")).toEqual([])
  expect(() => parseRequire("sbom")).toThrow(/does not accept "sbom"/)
})
