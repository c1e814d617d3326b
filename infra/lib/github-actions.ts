import { Duration } from "aws-cdk-lib"
import { CfnOIDCProvider, type ManagedPolicy, Role, WebIdentityPrincipal } from "aws-cdk-lib/aws-iam"
import { Construct } from "constructs"
import type { Config } from "../config.js"

/** GitHub's identity provider for workflows (GitHub documentation, "Configuring OpenID Connect in Amazon Web Services"). */
const issuer = "token.actions.githubusercontent.com"
const audience = "sts.amazonaws.com"

/**
 * The role of a release in GitHub Actions. It trusts the workflows that run on one branch of one repository, whatever starts them, and no
 * others: those of a pull request have a different subject. So anyone who may change `.github/` on that branch may release. No key is stored.
 */
export class GithubActions extends Construct {
  readonly role: Role

  constructor(scope: Construct, id: string, { name, source }: Config, policies: ManagedPolicy[]) {
    super(scope, id)
    const providerArn =
      source.githubActions?.providerArn ??
      new CfnOIDCProvider(this, "Provider", { url: `https://${issuer}`, clientIdList: [audience] }).attrArn
    const subject = `repo:${source.repository}:ref:refs/heads/${source.branch}`
    const assumedBy = new WebIdentityPrincipal(providerArn, {
      StringEquals: { [`${issuer}:aud`]: audience, [`${issuer}:sub`]: subject },
    })
    this.role = new Role(this, "Role", {
      roleName: `${name}-github-actions`,
      description: `Releases ${source.branch} of ${source.repository} from GitHub Actions`,
      assumedBy,
      managedPolicies: policies,
      maxSessionDuration: Duration.hours(1),
    })
  }
}
