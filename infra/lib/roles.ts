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
import {
  approvalPermissions,
  executionPermissions,
  type Permission,
  releasePermissions,
  verifyPermissions,
} from "./permissions.js"
import { trust } from "./trust.js"

/** The two roles of a task, and the policy of a release, for the build and for anyone who releases from a laptop. */
export class Roles extends Construct {
  /** The application's own role: it has no permissions until the application needs some. */
  readonly task: Role
  /** ECS's, to start a task: pull the image, write the log. */
  readonly execution: Role
  readonly release: ManagedPolicy
  /** For those who may approve a deployment that waits. */
  readonly approval: ManagedPolicy
  /** For the build, and for those who release from a laptop: the checks before a release. */
  readonly verify: ManagedPolicy

  constructor(scope: Construct, id: string, name: string, names: Names) {
    super(scope, id)
    const assumedBy = trust(this, "ecs-tasks.amazonaws.com", { service: "ecs", resource: "*" })
    this.task = new Role(this, "Task", { roleName: `${name}-task`, assumedBy })
    this.execution = roleOf(this, "Execution", {
      roleName: `${name}-execution`,
      assumedBy,
      permissions: executionPermissions(names),
    })
    this.release = policyOf(this, "Release", {
      managedPolicyName: `${name}-release`,
      description: "Release: push the image, register the revision, deploy it and follow it",
      permissions: releasePermissions(names),
    })
    this.approval = policyOf(this, "Approval", {
      managedPolicyName: `${name}-approval`,
      description: "Approve or reject a deployment that waits for it",
      permissions: approvalPermissions(names),
    })
    this.verify = policyOf(this, "Verify", {
      managedPolicyName: `${name}-verify`,
      description: "Verify: see whether what a deployment needs is there",
      permissions: verifyPermissions(names),
    })
  }

  /** A policy for those who release, with what the configuration adds: signing, notifications. */
  alsoFor(name: string, permissions: Permission[]): ManagedPolicy {
    return policyOf(this, "Extra", {
      managedPolicyName: `${name}-release-extra`,
      description: "Release: sign the image, tell how it goes",
      permissions,
    })
  }
}

/** A managed policy, each of whose statements has its reason. */
function policyOf(
  scope: Construct,
  id: string,
  props: { managedPolicyName: string; description: string; permissions: Permission[] },
): ManagedPolicy {
  const { permissions, ...rest } = props
  const policy = new ManagedPolicy(scope, id, { ...rest, document: documentOf(permissions) })
  acknowledgeWildcards(policy, permissions)
  return policy
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
