import {
  ManagedPolicy,
  PolicyDocument,
  PolicyStatement,
  Role,
  type ServicePrincipal,
} from "aws-cdk-lib/aws-iam"
import { Construct } from "constructs"
import { acknowledgeWildcards } from "./acknowledge.js"
import type { Names } from "./names.js"
import { executionPermissions, type Permission, releasePermissions } from "./permissions.js"
import { trust } from "./trust.js"

/** The two roles of a task, and the policy of a release, for the build and for anyone who releases from a laptop. */
export class Roles extends Construct {
  /** The application's own: it may do nothing until the application needs something. */
  readonly task: Role
  /** ECS's, to start a task: pull the image, write the log. */
  readonly execution: Role
  readonly release: ManagedPolicy

  constructor(scope: Construct, id: string, name: string, names: Names) {
    super(scope, id)
    const assumedBy = trust(this, "ecs-tasks.amazonaws.com", { service: "ecs", resource: "*" })
    this.task = new Role(this, "Task", { roleName: `${name}-task`, assumedBy })
    this.execution = roleOf(this, "Execution", {
      roleName: `${name}-execution`,
      assumedBy,
      permissions: executionPermissions(names),
    })
    const permissions = releasePermissions(names)
    this.release = new ManagedPolicy(this, "Release", {
      managedPolicyName: `${name}-release`,
      description: "Release: push the image, register the revision, deploy it and follow it",
      document: documentOf(permissions),
    })
    acknowledgeWildcards(this.release, permissions)
  }
}

/** A role with one inline policy, each of whose statements has its reason. */
export function roleOf(
  scope: Construct,
  id: string,
  props: {
    roleName: string
    assumedBy: ServicePrincipal
    permissions: Permission[]
    managedPolicies?: ManagedPolicy[]
  },
): Role {
  const { roleName, assumedBy, permissions, managedPolicies } = props
  const inlinePolicies = { permissions: documentOf(permissions) }
  const role = new Role(scope, id, { roleName, assumedBy, managedPolicies, inlinePolicies })
  acknowledgeWildcards(role, permissions)
  return role
}

function documentOf(permissions: Permission[]): PolicyDocument {
  const statements = permissions.map(
    ({ sid, actions, resources, conditions }) =>
      new PolicyStatement({ sid, actions, resources, ...(conditions && { conditions }) }),
  )
  return new PolicyDocument({ statements })
}
