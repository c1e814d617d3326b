import { ASSETS, SESSION_SECONDS, WORLD } from "./names.js"

/** CloudFormation template of what `cdk bootstrap` leaves in an account and is needed here: a place for image assets. */
export function toolkitTemplate(): object {
  return { Resources: { Assets: { Type: "AWS::ECR::Repository", Properties: { RepositoryName: ASSETS } } } }
}

/**
 * The stack of infra/, as it is but for the placeholder image, which no registry outside gives here, and for what the
 * emulator does not know. The CDK is loaded only when an account has to be made.
 *
 * @param placeholder the image that the service runs until the first release
 */
export async function worldTemplate(placeholder: string): Promise<object> {
  const [{ config }, { emulatorTemplate }, { changed }] = await Promise.all([
    import("../../infra/config.js"),
    import("../../infra/lib/emulator.js"),
    import("../../infra/lib/settings.js"),
  ])
  const settings = [`region=${WORLD.region}`, `placeholder.image=${placeholder}`, "placeholder.command=[]"]
  return emulatorTemplate(changed(config, settings)).template
}

/**
 * CloudFormation template of the role as which the pipeline acts here. It has the stack's policy for releases and nothing
 * else, so that a right that is missing there is missing here.
 *
 * @param releasePolicy the policy's ARN, an output of the stack
 */
export function pipelineTemplate(releasePolicy: string): object {
  const trusted = { AWS: `arn:aws:iam::${WORLD.accountId}:root` }
  return {
    Resources: {
      Pipeline: {
        Type: "AWS::IAM::Role",
        Properties: {
          RoleName: WORLD.pipelineRole,
          MaxSessionDuration: SESSION_SECONDS,
          ManagedPolicyArns: [releasePolicy],
          AssumeRolePolicyDocument: {
            Version: "2012-10-17",
            Statement: [{ Effect: "Allow", Principal: trusted, Action: "sts:AssumeRole" }],
          },
        },
      },
    },
  }
}
