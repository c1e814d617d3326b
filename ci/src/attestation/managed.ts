import { type Aws, ecr } from "../aws/clients.js"
import { explained } from "../aws/errors.js"
import { UserError } from "../lib/errors.js"

/** Whether a text is the ARN of a signing profile of AWS Signer. */
export function isSignerProfile(text: string): boolean {
  return /^arn:aws[a-z-]*:signer:[a-z0-9-]+:\d{12}:\/signing-profiles\/\w{2,64}(\/\w{10})?$/.test(text)
}

/** Seconds between polls while ECR signs, which it does soon after the push, and how often to poll. */
const interval = 2
const looks = 30

/**
 * Refuses an image that ECR has not signed with a profile (ECR user guide, "Managed signing"; ECR DescribeImageSigningStatus).
 *
 * @param profile the profile's ARN
 * @throws UserError if it is not signed, if signing it failed, or if another profile signed it
 */
export async function requireManagedSignature(
  aws: Aws,
  {
    name,
    repository,
    digest,
    account,
  }: { name: string; repository: string; digest: string; account?: string },
  profile: string,
): Promise<void> {
  const refused = (why: string) =>
    new UserError(
      `${name} is not deployed: ECR has not signed it with ${profile}.`,
      why,
      "Check the registry's signing configuration: aws ecr get-signing-configuration. ECR signs only images that are pushed after it is set.",
    )
  await explained({ ...aws, repository }, async () => {
    const client = await ecr(aws)
    for (let look = 1; ; look++) {
      const { signingStatuses = [] } = await client.describeImageSigningStatus({
        ...(account && { registryId: account }),
        repositoryName: repository,
        imageId: { imageDigest: digest },
      })
      // A profile's ARN may name one of its versions.
      const own = signingStatuses.find(
        ({ signingProfileArn: arn }) => arn === profile || arn?.startsWith(`${profile}/`),
      )
      if (own?.status === "COMPLETE") return
      if (own?.status === "FAILED") throw refused(`${own.failureCode}: ${own.failureReason}`)
      const others = signingStatuses.flatMap(({ signingProfileArn }) => signingProfileArn ?? [])
      if (!own)
        throw refused(
          others.length === 0 ? "It has no signature." : `It was signed with ${others.join(", ")}.`,
        )
      if (look === looks) throw refused(`ECR has not finished after ${looks * interval} s.`)
      await new Promise(resolve => setTimeout(resolve, interval * 1000))
    }
  })
}
