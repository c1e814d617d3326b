import {
  BatchGetImageCommand,
  DescribeImagesCommand,
  DescribeRepositoriesCommand,
  GetAuthorizationTokenCommand,
  PutImageCommand,
} from "@aws-sdk/client-ecr"
import type { Container } from "@dagger.io/dagger"
import { beforeEach, describe, expect, test } from "vitest"
import { Registry } from "../../src/ecr/registry.js"
import { aws, ecr, uri } from "../ecs/mock.js"

const commit = "c".repeat(40)
const digest = (letter: string) => `sha256:${letter.repeat(64)}`

/** A repository with tags, and how long its calls take: a random number of turns, so that concurrent calls interleave. */
let tags: Map<string, string>
const turns = async () => {
  for (let left = Math.random() * 6; left > 0; left--) await new Promise(setImmediate)
}
const failure = (name: string) => Object.assign(new Error(name), { name })

function repository() {
  tags = new Map()
  ecr.reset()
  const set = (tag: string, to: string) => {
    const has = tags.get(tag)
    if (has === to) throw failure("ImageAlreadyExistsException")
    if (has !== undefined) throw failure("ImageTagAlreadyExistsException")
    tags.set(tag, to)
  }
  ecr.on(DescribeRepositoriesCommand).resolves({ repositories: [{ repositoryUri: uri }] })
  ecr.on(GetAuthorizationTokenCommand).resolves({
    authorizationData: [{ authorizationToken: Buffer.from("AWS:token").toString("base64") }],
  })
  ecr.on(DescribeImagesCommand).callsFake(async ({ imageIds: [{ imageTag, imageDigest }] }) => {
    await turns()
    const found = imageDigest ?? tags.get(imageTag)
    if (found === undefined) throw failure("ImageNotFoundException")
    const imageTags = [...tags].flatMap(([tag, it]) => (it === found ? [tag] : []))
    await turns()
    return { imageDetails: [{ imageDigest: found, imageTags }] }
  })
  ecr.on(BatchGetImageCommand).callsFake(async ({ imageIds: [{ imageDigest }] }) => {
    await turns()
    return { images: [{ imageManifest: imageDigest }] }
  })
  ecr.on(PutImageCommand).callsFake(async ({ imageManifest, imageTag }) => {
    await turns()
    set(imageTag, imageManifest)
    return {}
  })
  /** What an engine's push does to it; each push gets a new digest, as no two builds are the same. */
  return (own: string, asked: object[] = []): Container => {
    const image = {
      withRegistryAuth: () => image,
      publish: async (address: string, options: object) => {
        asked.push(options)
        await turns()
        set(address.slice(address.lastIndexOf(":") + 1), own)
        await turns()
        return `${address}@${own}`
      },
    }
    return image as unknown as Container
  }
}

beforeEach(() => {
  process.env.DAGGER_SESSION_PORT = "1"
  process.env.DAGGER_SESSION_TOKEN = "none"
})

test("runs of one commit that push at once end with one image, 50 rounds of 5", async () => {
  for (let round = 0; round < 50; round++) {
    const image = repository()
    const registry = await Registry.open(aws, "web")
    const runs = ["a", "b", "c", "d", "e"].map(letter =>
      registry.push(async () => [image(digest(letter))], "1.2.3", commit),
    )
    const pushed = await Promise.all(runs)
    expect(pushed.map(it => it.digest)).toEqual(Array(5).fill(tags.get("1.2.3")))
    expect(tags.get(commit)).toBe(tags.get("1.2.3"))
    const again = await registry.push(() => Promise.reject(new Error("it is built again")), "1.2.3", commit)
    expect(again.digest).toBe(tags.get("1.2.3"))
  }
})

test("a version's tag on an image that this commit did not make is refused, before anything is built", async () => {
  repository()
  tags.set("1.2.3", digest("f"))
  const registry = await Registry.open(aws, "web")
  const build = () => Promise.reject(new Error("it was built"))
  await expect(registry.push(build, "1.2.3", commit)).rejects.toThrow(
    /1\.2\.3 is already in the registry, with another image[\s\S]*→ .*Release-As/,
  )
})

test.each([
  ["", {}],
  ["zstd", { forcedCompression: "Zstd" }],
  ["gzip", { forcedCompression: "Gzip" }],
])("layers are compressed as asked: %s", async (compression, options) => {
  const image = repository()
  const asked: object[] = []
  const registry = await Registry.open(aws, "web")
  await registry.push(async () => [image(digest("a"), asked)], "1.2.3", commit, { compression })
  expect(asked).toEqual([options])
})

test("a push that fails for another reason reports that error", async () => {
  repository()
  const registry = await Registry.open(aws, "web")
  const image = {
    withRegistryAuth: () => image,
    publish: () => Promise.reject(new Error("no space left")),
  }
  const build = async () => [image as unknown as Container]
  await expect(registry.push(build, "1.2.3", commit)).rejects.toThrow("no space left")
  expect(tags.size).toBe(0)
})

describe("an image whose origin is vouched for", () => {
  const vouching = (known: Set<string>) => ({
    attest: async (digest: string) => {
      // Nothing finds it by its commit or version until it is proved.
      expect([...tags].filter(([tag]) => tag === commit || tag === "1.2.3")).toEqual([])
      known.add(digest)
    },
    check: async ({ digest }: { digest: string }) => {
      if (!known.has(digest)) throw new Error(`${digest} is not proved`)
    },
  })

  test("gets its tags once it is proved", async () => {
    const image = repository()
    const registry = await Registry.open(aws, "web")
    const pushed = await registry.push(async () => [image(digest("a"))], "1.2.3", commit, {
      vouch: vouching(new Set()),
    })
    expect(pushed.digest).toBe(digest("a"))
    expect(pushed.tags).toContain(commit)
  })

  test("is never one that somebody else pushed under the commit, before or at the same time", async () => {
    const image = repository()
    tags.set(commit, digest("e"))
    const registry = await Registry.open(aws, "web")
    const push = (vouch: ReturnType<typeof vouching>) =>
      registry.push(async () => [image(digest("a"))], "1.2.3", commit, { vouch })
    await expect(push(vouching(new Set()))).rejects.toThrow(/is not proved/)
    tags.delete(commit)
    const vouch = vouching(new Set())
    const slow = {
      ...vouch,
      attest: async (own: string) => {
        await vouch.attest(own)
        tags.set(commit, digest("e"))
      },
    }
    await expect(push(slow)).rejects.toThrow(/is not proved/)
    expect(tags.has("1.2.3")).toBe(false)
  })

  test("two runs at once end with one proved image", async () => {
    const image = repository()
    const registry = await Registry.open(aws, "web")
    const known = new Set<string>()
    const vouch = { ...vouching(known), attest: async (own: string) => void known.add(own) }
    const runs = ["a", "b", "c"].map(letter =>
      registry.push(async () => [image(digest(letter))], "1.2.3", commit, { vouch }),
    )
    const digests = (await Promise.all(runs)).map(it => it.digest)
    expect(new Set(digests).size).toBe(1)
    expect(known.has(digests[0] ?? "")).toBe(true)
  })
})
