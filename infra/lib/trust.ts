import { Arn, type ArnComponents, Stack } from "aws-cdk-lib"
import { ServicePrincipal } from "aws-cdk-lib/aws-iam"
import type { IConstruct } from "constructs"

/**
 * Lets an AWS service assume a role, but only for resources of this account. A service acts for every account: to trust just
 * its name is to trust anyone who can make it use the role (AWS's documents call this the confused deputy problem).
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
 * The same for a service that is not documented to send these keys: if the service names another account, it is refused;
 * if it names none, the role works.
 */
export function trustIfNamed(scope: IConstruct, service: string) {
  const conditions = { StringEqualsIfExists: { "aws:SourceAccount": Stack.of(scope).account } }
  return new ServicePrincipal(service, { conditions })
}
