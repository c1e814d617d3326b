import { Stack } from "aws-cdk-lib"
import { CfnFleet } from "aws-cdk-lib/aws-codebuild"
import type { ManagedPolicy } from "aws-cdk-lib/aws-iam"
import { Construct } from "constructs"
import type { Config } from "../config.js"
import { Engine } from "./engine.js"
import type { Names } from "./names.js"
import type { Network } from "./network.js"
import { buildPermissions, gitTokenPermission, vpcPermissions } from "./permissions.js"
import { Project } from "./project.js"

/**
 * The builds: a push to the branch is released; a pull request is tested.
 *
 * There are two projects because a pull request brings its own buildspec.yml: anyone who can open one could release with
 * the rights of a shared role. The testing project's role reaches no registry, no service and no token. Nor do the two
 * share a machine or a cache: a fleet's machines hand what they cached to every project that uses them, and a release
 * would then build with what a pull request left there.
 */
export class Build extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: { config: Config; names: Names; policies: ManagedPolicy[]; network: Network },
  ) {
    super(scope, id)
    const { config, names, policies, network } = props
    const { source, build } = config
    const branch = `^refs/heads/${source.branch.replaceAll(/[.+?*^$()[\]{}|\\]/g, "\\$&")}$`
    const { arns } = names
    const engine = build.engine && new Engine(this, "Engine", config, build.engine, network)
    const { subnetIds } = network.vpc.selectSubnets(network.taskSubnets)

    new Project(this, "Release", {
      config,
      name: names.project,
      description: `Releases each push to ${source.branch}`,
      logGroup: names.buildLogGroup,
      permissions: [
        ...buildPermissions(names, arns.buildLogStreams, arns.reportGroups),
        gitTokenPermission(names),
        ...(engine ? vpcPermissions(Stack.of(this), subnetIds) : []),
      ],
      engine: engine && {
        address: engine.address,
        vpc: {
          vpcId: network.vpc.vpcId,
          subnets: subnetIds,
          securityGroupIds: [engine.clients.securityGroupId],
        },
      },
      managedPolicies: policies,
      triggers: {
        webhook: true,
        filterGroups: [
          [
            { type: "EVENT", pattern: "PUSH" },
            { type: "HEAD_REF", pattern: branch },
          ],
        ],
      },
      environmentVariables: [{ name: "GITHUB_TOKEN", type: "SECRETS_MANAGER", value: source.gitTokenSecret }],
      kept: {
        fleetArn: build.fleet && this.fleet(config.name, build.fleet),
        dockerServer: build.dockerServer,
      },
    })
    if (!build.pullRequests) return

    new Project(this, "PullRequest", {
      config,
      name: names.pullRequestProject,
      description: `Tests pull requests to ${source.branch}`,
      logGroup: names.pullRequestLogGroup,
      permissions: buildPermissions(names, arns.pullRequestLogStreams, arns.pullRequestReportGroups),
      triggers: {
        webhook: true,
        filterGroups: [
          [
            { type: "EVENT", pattern: "PULL_REQUEST_CREATED, PULL_REQUEST_UPDATED, PULL_REQUEST_REOPENED" },
            { type: "BASE_REF", pattern: branch },
          ],
        ],
        pullRequestBuildPolicy: { requiresCommentApproval: "FORK_PULL_REQUESTS" },
      },
    })
  }

  private fleet(name: string, fleet: NonNullable<Config["build"]["fleet"]>): string {
    return new CfnFleet(this, "Fleet", {
      name,
      baseCapacity: fleet.machines,
      computeType: fleet.computeType,
      environmentType: "LINUX_CONTAINER",
      overflowBehavior: "QUEUE",
    }).attrArn
  }
}
