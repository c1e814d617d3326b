import { Duration, RemovalPolicy } from "aws-cdk-lib"
import { Repository, RepositoryEncryption, TagMutability, TagStatus } from "aws-cdk-lib/aws-ecr"
import { Construct } from "constructs"
import type { Config } from "../config.js"

/**
 * The image repository: immutable tags, scanned on push, kept when the stack is deleted.
 *
 * ECR's rules cannot know what is running, and with the default rule they need not: only images without a tag expire. A
 * release's image has tags (version and commit), immutable tags can't be moved away from it, and so nothing that was
 * released ever expires. `keepReleases` gives that up to save storage: only that many stay, and a service that was rolled
 * back further than that would lose its image.
 */
export class Registry extends Construct {
  readonly repository: Repository

  constructor(scope: Construct, id: string, name: string, config: Config["registry"]) {
    super(scope, id)
    const { untaggedDays, keepReleases, encryption } = config
    this.repository = new Repository(this, "Repository", {
      repositoryName: name,
      imageTagMutability: TagMutability.IMMUTABLE,
      imageScanOnPush: true,
      encryption: encryption === "KMS" ? RepositoryEncryption.KMS : RepositoryEncryption.AES_256,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    this.repository.addLifecycleRule({
      description: `Images without a tag expire after ${untaggedDays} days`,
      tagStatus: TagStatus.UNTAGGED,
      maxImageAge: Duration.days(untaggedDays),
    })
    if (keepReleases !== undefined) {
      this.repository.addLifecycleRule({
        description: `The newest ${keepReleases} releases stay`,
        // Without the tags of attachments, sha256-….sig: ECR removes those with their image.
        tagPatternList: ["*.*.*"],
        maxImageCount: keepReleases,
      })
    }
  }
}
