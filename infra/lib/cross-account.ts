import type { Repository } from "aws-cdk-lib/aws-ecr"
import {
  AccountPrincipal,
  ArnPrincipal,
  CompositePrincipal,
  type ManagedPolicy,
  Role,
} from "aws-cdk-lib/aws-iam"
import { Construct } from "constructs"
import type { Config } from "../config.js"

/**
 * For stages in several accounts: a role that releases to this account, for the named principals, and permission to pull or copy images
 * from its repository, for the named accounts.
 */
export class CrossAccount extends Construct {
  /** The role to pass as `roleArn`; undefined if nobody is named. */
  readonly role?: Role

  constructor(
    scope: Construct,
    id: string,
    props: { config: Config; repository: Repository; policies: ManagedPolicy[] },
  ) {
    super(scope, id)
    const { config, repository, policies } = props
    const { releasedBy = [], pulledBy = [] } = config.crossAccount ?? {}
    const [first, ...others] = releasedBy.map(arn => new ArnPrincipal(arn))
    if (first) {
      this.role = new Role(this, "Release", {
        roleName: `${config.name}-cross-account`,
        assumedBy: new CompositePrincipal(first, ...others),
        managedPolicies: policies,
      })
    }
    for (const account of pulledBy) {
      repository.grantPull(new AccountPrincipal(account))
      // The pipeline there checks that the image is here before it changes the service.
      repository.grant(new AccountPrincipal(account), "ecr:DescribeImages")
    }
  }
}
