import { Arn, type ArnComponents, Stack } from "aws-cdk-lib"
import { ServicePrincipal } from "aws-cdk-lib/aws-iam"
import type { IConstruct } from "constructs"

/**
 * Lets an AWS service assume a role, for resources of this account only. A service acts for every account: trust in its
 * name alone is trust in anyone who can make it use the role (in AWS's documents, the confused deputy problem).
 *
 * @param source the resources that the service acts for, in this account and region
 */
export function trust(
  scope: IConstruct,
  service: string,
  source: Pick<ArnComponents, "service" | "resource">,
) {
  const stack = Stack.of(scope)
  return new ServicePrincipal(service, {
    conditions: {
      StringEquals: { "aws:SourceAccount": stack.account },
      ArnLike: { "aws:SourceArn": Arn.format(source, stack) },
    },
  })
}

/**
 * The same for a service that is not documented to send these keys: another account is refused if the service names it,
 * and the role works if it names none.
 */
export function trustIfNamed(scope: IConstruct, service: string) {
  const conditions = { StringEqualsIfExists: { "aws:SourceAccount": Stack.of(scope).account } }
  return new ServicePrincipal(service, { conditions })
}
