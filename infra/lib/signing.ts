import { RemovalPolicy } from "aws-cdk-lib"
import { CfnSigningConfiguration } from "aws-cdk-lib/aws-ecr"
import { AccountPrincipal, PolicyStatement } from "aws-cdk-lib/aws-iam"
import { Key, KeySpec, KeyUsage } from "aws-cdk-lib/aws-kms"
import { CfnSigningProfile } from "aws-cdk-lib/aws-signer"
import { Construct } from "constructs"
import type { Config } from "../config.js"
import type { Names } from "./names.js"

/** The means to sign images: a key for the module, or a profile with which ECR signs each image that is pushed to the repository. */
export class Signing extends Construct {
  /** The value for `--signing-key`. */
  readonly reference: string

  constructor(
    scope: Construct,
    id: string,
    names: Names,
    how: "KMS" | "ECR",
    { pulledBy = [] }: NonNullable<Config["crossAccount"]> = {},
  ) {
    super(scope, id)
    if (how === "KMS") {
      const key = new Key(this, "Key", {
        alias: names.signingKey,
        description:
          "Signs images and their attestations; cosign and this pipeline verify with its public key",
        keySpec: KeySpec.ECC_NIST_P256,
        keyUsage: KeyUsage.SIGN_VERIFY,
        // Its signatures are checked for as long as the images are deployed.
        removalPolicy: RemovalPolicy.RETAIN,
      })
      // Accounts that pull this account's images may check who signed them.
      for (const account of pulledBy) {
        key.addToResourcePolicy(
          new PolicyStatement({
            actions: ["kms:GetPublicKey"],
            principals: [new AccountPrincipal(account)],
            resources: ["*"],
          }),
        )
      }
      this.reference = `awskms:///${names.signingKey}`
      return
    }
    const profile = new CfnSigningProfile(this, "Profile", {
      profileName: names.signingProfile,
      // The signing platform for images (AWS Signer developer guide, "Signing container images").
      platformId: "Notation-OCI-SHA384-ECDSA",
    })
    new CfnSigningConfiguration(this, "Configuration", {
      rules: [
        {
          signingProfileArn: profile.attrArn,
          repositoryFilters: [{ filter: names.repository, filterType: "WILDCARD_MATCH" }],
        },
      ],
    })
    this.reference = profile.attrArn
  }
}
