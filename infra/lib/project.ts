import { RemovalPolicy } from "aws-cdk-lib"
import { CfnProject } from "aws-cdk-lib/aws-codebuild"
import type { ManagedPolicy } from "aws-cdk-lib/aws-iam"
import { LogGroup } from "aws-cdk-lib/aws-logs"
import { Construct } from "constructs"
import type { Config } from "../config.js"
import { acknowledge } from "./acknowledge.js"
import type { Permission } from "./permissions.js"
import { roleOf } from "./roles.js"
import { trust } from "./trust.js"

/** The variable that tells the Dagger CLI where an engine is already running. */
const runnerHost = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"

/** A CodeBuild project: a Linux container (privileged unless it uses a running engine) that clones the whole repository and runs its buildspec.yml. */
export class Project extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: {
      config: Config
      name: string
      description: string
      logGroup: string
      permissions: Permission[]
      managedPolicies?: ManagedPolicy[]
      triggers: CfnProject.ProjectTriggersProperty
      environmentVariables?: CfnProject.EnvironmentVariableProperty[]
      /** The engine that builds use, instead of one on their own Docker daemon. */
      engine?: { address: string; vpc: CfnProject.VpcConfigProperty }
      /** What outlives a build and is available to the project's next one. If left out, nothing is. */
      kept?: { fleetArn?: string; dockerServer?: CfnProject.DockerServerProperty }
    },
  ) {
    super(scope, id)
    const { name, description, triggers, environmentVariables, kept, engine } = props
    const { source, build, logs } = props.config
    const logGroup = new LogGroup(this, "Log", {
      logGroupName: props.logGroup,
      retention: logs.retentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const role = roleOf(this, "Role", {
      roleName: `${name}-build`,
      assumedBy: trust(this, "codebuild.amazonaws.com", {
        service: "codebuild",
        resource: `project/${name}`,
      }),
      permissions: props.permissions,
      managedPolicies: props.managedPolicies,
    })
    const project = new CfnProject(this, "Project", {
      name,
      description,
      serviceRole: role.roleArn,
      source: {
        type: "GITHUB",
        location: `https://github.com/${source.repository}.git`,
        auth: { type: "CODECONNECTIONS", resource: source.connectionArn },
        buildSpec: "buildspec.yml",
        gitCloneDepth: 0, // All of it: the version is computed from the history.
        reportBuildStatus: true,
      },
      sourceVersion: `refs/heads/${source.branch}`, // What a build started by hand takes.
      triggers,
      artifacts: { type: "NO_ARTIFACTS" },
      environment: {
        type: "LINUX_CONTAINER",
        image: build.image,
        computeType: build.computeType,
        privilegedMode: engine === undefined,
        environmentVariables: engine
          ? [...(environmentVariables ?? []), { name: runnerHost, value: engine.address }]
          : environmentVariables,
        ...(kept?.fleetArn !== undefined && { fleet: { fleetArn: kept.fleetArn } }),
        ...(kept?.dockerServer !== undefined && { dockerServer: kept.dockerServer }),
      },
      vpcConfig: engine?.vpc,
      cache:
        kept === undefined || engine !== undefined
          ? { type: "NO_CACHE" }
          : { type: "LOCAL", modes: ["LOCAL_SOURCE_CACHE", "LOCAL_DOCKER_LAYER_CACHE"] },
      logsConfig: { cloudWatchLogs: { status: "ENABLED", groupName: logGroup.logGroupName } },
      timeoutInMinutes: build.timeoutMinutes,
      queuedTimeoutInMinutes: build.queuedMinutes,
      badgeEnabled: true,
    })
    if (engine === undefined) {
      acknowledge(
        project,
        "CB3",
        "The build runs containers: without privileged mode there is no Docker daemon.",
      )
    }
    acknowledge(project, "CB4", "The build stores no artifact, so there is nothing for a key to encrypt.")
  }
}
