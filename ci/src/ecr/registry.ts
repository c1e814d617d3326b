import { randomBytes } from "node:crypto"
import {
  type Container,
  dag,
  ImageLayerCompression,
  type Platform,
  type Secret,
  type Service,
} from "@dagger.io/dagger"
import { type Aws, ecr } from "../aws/clients.js"
import type { ECR, ImageIdentifier } from "../aws/types.js"
import { engineIsAtLeast } from "../lib/engine.js"
import { UserError } from "../lib/errors.js"
import { imagesIn, type Manifest } from "./distribution.js"

/** An image in the registry. */
export type Image = {
  /** The address by digest: `…/hello@sha256:…`. */
  reference: string
  digest: string
  tags: string[]
}

/** Makes sure where an image comes from, before it gets the tags by which a release finds it. */
export type Vouch = {
  /** Adds the proof to an image that this run has built and pushed. */
  attest: (digest: string) => Promise<void>
  /** Throws if an image that was there already has no proof. */
  check: (image: Image) => Promise<void>
}

/** How to push. */
export type PushOptions = {
  /** zstd or gzip for all layers, including those of the base image; "" to keep the layers as they are. */
  compression?: string
  vouch?: Vouch
  /** Called with the digest that this run has pushed. */
  onPush?: (digest: string) => void
}

/**
 * One repository in Amazon ECR. Release images carry two immutable tags, the commit's id and X.Y.Z, in this order: a
 * version's image without its commit's tag was not pushed by this pipeline.
 */
export class Registry {
  private constructor(
    private readonly client: ECR,
    private readonly repository: string,
    /** The repository's address without a tag. */
    readonly uri: string,
    /** Whether somebody can move a tag to another image, so that a version could change after its release. */
    readonly tagsCanMove: boolean,
    private readonly endpoint?: Service,
  ) {}

  /**
   * Looks the repository up (ECR DescribeRepositories).
   *
   * @param endpoint the service that replaces AWS, if there is one
   */
  static async open(aws: Aws, repository: string, endpoint?: Service): Promise<Registry> {
    const client = await ecr(aws)
    const { repositories } = await client.describeRepositories({ repositoryNames: [repository] })
    const { repositoryUri = "", imageTagMutability } = repositories?.[0] ?? {}
    return new Registry(
      client,
      repository,
      repositoryUri,
      /^MUTABLE/.test(imageTagMutability ?? ""),
      endpoint,
    )
  }

  /** The image with this tag, or undefined. */
  find(tag: string): Promise<Image | undefined> {
    return this.describe({ imageTag: tag })
  }

  /** The image with this digest, or undefined. */
  findDigest(digest: string): Promise<Image | undefined> {
    return this.describe({ imageDigest: digest })
  }

  private async describe(id: ImageIdentifier): Promise<Image | undefined> {
    try {
      const { imageDetails } = await this.client.describeImages({
        repositoryName: this.repository,
        imageIds: [id],
      })
      const found = imageDetails?.[0]
      return found?.imageDigest ? this.image(found.imageDigest, found.imageTags) : undefined
    } catch (error) {
      if (error instanceof Error && error.name === "ImageNotFoundException") return undefined
      throw error
    }
  }

  /** The image of a released commit: it has both tags. Undefined if either is missing. */
  async findRelease(version: string, commit: string): Promise<Image | undefined> {
    const image = await this.find(commit)
    return image?.tags.includes(version) ? image : undefined
  }

  /**
   * The images that a digest stands for, each for one platform: those of an image index (OCI image specification), without attachments
   * such as provenance; otherwise the digest itself. ECR scans these, not the index.
   */
  async imagesOf(digest: string): Promise<string[]> {
    const { images } = await this.client.batchGetImage({
      repositoryName: this.repository,
      imageIds: [{ imageDigest: digest }],
    })
    const found = imagesIn(JSON.parse(images?.[0]?.imageManifest ?? "{}") as Manifest)
    return found.length === 0 ? [digest] : found.map(it => it.digest)
  }

  /**
   * Pushes a commit's image under the commit's ID and the version. An image that is already there stays: for the same commit it is
   * the result, for another one it is an error. If two runs push the same commit at once, the second uses the first one's image,
   * for both tags.
   *
   * @param build makes the image, one container per platform; called only if the registry does not have the commit's
   * @param options.vouch gives an image its tags only once its origin is proved, and refuses images without that proof
   * @throws UserError if the version's tag is on another image
   */
  async push(
    build: () => Promise<Container[]>,
    version: string,
    commit: string,
    options: PushOptions = {},
  ): Promise<Image> {
    // In this order: a run that pushes at the same time sets the commit's tag first.
    const ofVersion = await this.find(version)
    const ofCommit = await this.find(commit)
    if (ofVersion && ofVersion.digest !== ofCommit?.digest) throw taken(version, commit, ofVersion)
    if (ofCommit) await options.vouch?.check(ofCommit)
    const image = ofCommit ?? (await this.publish(await build(), commit, options))
    if (!ofVersion) await this.addTag(image.digest, version)
    const released = ofVersion ?? (await this.find(version)) ?? image
    if (released.digest !== image.digest) throw taken(version, commit, released)
    return { ...released, tags: [...new Set([...released.tags, version, commit])] }
  }

  /**
   * Copies an image from another registry, under its commit's ID and its version, as `push` does.
   *
   * @param copy copies it, under a tag; called only if the registry does not have it
   * @throws UserError if the version's tag is on another image
   */
  async take(
    copy: (tag: string) => Promise<void>,
    { digest, version, commit }: { digest: string; version: string; commit?: string },
  ): Promise<Image> {
    const ofVersion = await this.find(version)
    if (ofVersion && ofVersion.digest !== digest) throw taken(version, commit ?? "unknown", ofVersion)
    try {
      if (!(await this.findDigest(digest))) await copy(commit ?? version)
    } catch (error) {
      // Another run was quicker: the registry refuses a second image under an immutable tag.
      if (!(await this.findDigest(digest))) throw error
    }
    for (const tag of [commit, version]) if (tag && !(await this.find(tag))) await this.addTag(digest, tag)
    const found = await this.findDigest(digest)
    if (!found) throw gone(this.uri, version)
    return found
  }

  /** A container of an image that is there, for one platform. */
  async pull(digest: string, platform: Platform): Promise<Container> {
    const { host, username, password } = await this.login()
    return dag
      .container({ platform })
      .withRegistryAuth(host, username, password)
      .from(`${this.uri}@${digest}`)
  }

  private async login(): Promise<{ host: string; username: string; password: Secret }> {
    const { authorizationData } = await this.client.getAuthorizationToken({})
    const token = Buffer.from(authorizationData?.[0]?.authorizationToken ?? "", "base64").toString()
    const at = token.indexOf(":")
    const host = this.uri.split("/", 1)[0] as string
    return {
      host,
      username: token.slice(0, at),
      // Secrets of one name are one secret, which the last value wins, and apps in several regions are released at once.
      password: dag.setSecret(`ecr-password-${host}`, token.slice(at + 1)),
    }
  }

  private async publish(images: Container[], commit: string, options: PushOptions): Promise<Image> {
    const { vouch, onPush } = options
    if (vouch === undefined) {
      try {
        const digest = await this.send(images, commit, options)
        onPush?.(digest)
      } catch (error) {
        // Another run of the same commit was quicker: the registry refuses a second image under an immutable tag.
        const theirs = await this.find(commit)
        if (!theirs) throw error
        return theirs
      }
    } else {
      // First under a separate tag that nobody looks for: an image that is found by its commit is always proved.
      const digest = await this.send(images, `${commit}.${randomBytes(6).toString("hex")}`, options)
      onPush?.(digest)
      await vouch.attest(digest)
      await this.addTag(digest, commit)
      const found = await this.find(commit)
      if (!found) throw gone(this.uri, commit)
      if (found.digest !== digest) await vouch.check(found)
      return found
    }
    const pushed = await this.find(commit)
    if (!pushed) throw gone(this.uri, commit)
    return pushed
  }

  /** Pushes an image. Gives its digest. */
  private async send(
    [image, ...others]: Container[],
    tag: string,
    { compression }: PushOptions,
  ): Promise<string> {
    if (!image) throw new Error("no image was built")
    const { host, username, password } = await this.login()
    const reference = await image.withRegistryAuth(host, username, password).publish(`${this.uri}:${tag}`, {
      ...(await this.way(host)),
      ...(others.length > 0 && { platformVariants: others }),
      ...(compression === "zstd" && { forcedCompression: ImageLayerCompression.Zstd }),
      ...(compression === "gzip" && { forcedCompression: ImageLayerCompression.Gzip }),
    })
    return reference.split("@")[1] ?? ""
  }

  /**
   * How the engine reaches the registry. A registry on the caller's loopback interface is not on the engine's: since 0.21.6 an
   * engine reaches it through the service that replaces AWS; an older engine has to share the caller's network.
   */
  private async way(host: string): Promise<object> {
    if (!this.endpoint || !/^(127\.|localhost\b)/.test(host)) return {}
    return (await engineIsAtLeast("0.21.6")) ? { registryService: this.endpoint } : {}
  }

  /** Adds a tag to an image that is there (ECR BatchGetImage, PutImage): the same manifest, so the same digest. */
  private async addTag(digest: string, tag: string): Promise<void> {
    const { images } = await this.client.batchGetImage({
      repositoryName: this.repository,
      imageIds: [{ imageDigest: digest }],
    })
    const { imageManifest, imageManifestMediaType } = images?.[0] ?? {}
    try {
      await this.client.putImage({
        repositoryName: this.repository,
        imageManifest,
        imageManifestMediaType,
        imageTag: tag,
      })
    } catch (error) {
      // Another run of the same commit was quicker; which image the tag is on is checked next.
      if (!(error instanceof Error && /^Image(Tag)?AlreadyExistsException$/.test(error.name))) throw error
    }
  }

  private image(digest: string, tags: string[] = []): Image {
    return { reference: `${this.uri}@${digest}`, digest, tags }
  }
}

function taken(version: string, commit: string, { digest }: Image): UserError {
  return new UserError(
    `${version} is already in the registry, with another image (${digest}).`,
    `That image is not tagged with this commit, ${commit}: it was pushed by something else.`,
    `Release under another number: git commit --allow-empty -m "chore: release" -m "Release-As: X.Y.Z"`,
  )
}

function gone(uri: string, tag: string): UserError {
  return new UserError(
    `The image ${uri}:${tag} was pushed, but the registry does not have it.`,
    "Somebody, or a lifecycle policy, deleted it right away.",
    "Check the repository's lifecycle policy, then run the same command again.",
  )
}
