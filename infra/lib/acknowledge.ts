import { Stack, Validations } from "aws-cdk-lib"
import type { IConstruct } from "constructs"
import type { Permission } from "./permissions.js"

/** Says why a finding of cdk-nag (a rule of AwsSolutions) is acceptable, at the construct it is about. */
export function acknowledge(construct: IConstruct, rule: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: `AwsSolutions-${rule}`, reason })
}

/** The same for wildcards in permissions, with the reasons given there. */
export function acknowledgeWildcards(construct: IConstruct, permissions: Permission[]): void {
  const reasons = new Map<string, string[]>()
  for (const { resources, because } of permissions) {
    for (const resource of resources.map(it => flat(Stack.of(construct).resolve(it)))) {
      if (resource.includes("*")) reasons.set(resource, [...(reasons.get(resource) ?? []), because])
    }
  }
  for (const [resource, because] of reasons) {
    acknowledge(construct, `IAM5[Resource::${resource}]`, because.join(" "))
  }
}

/** A resolved string as cdk-nag names it in a finding: `{ Ref: "AWS::AccountId" }` is `<AWS::AccountId>`. */
function flat(
  value: string | { Ref: string } | { "Fn::Join": [string, (string | { Ref: string })[]] },
): string {
  if (typeof value === "string") return value
  if ("Ref" in value) return `<${value.Ref}>`
  const [separator, parts] = value["Fn::Join"]
  return parts.map(flat).join(separator)
}
