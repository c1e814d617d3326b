import { Duration, RemovalPolicy } from "aws-cdk-lib"
import {
  ContainerImage,
  CpuArchitecture,
  FargateTaskDefinition,
  LogDrivers,
  OperatingSystemFamily,
} from "aws-cdk-lib/aws-ecs"
import { LogGroup } from "aws-cdk-lib/aws-logs"
import { Construct } from "constructs"
import type { Config } from "../config.js"
import { acknowledge } from "./acknowledge.js"
import type { Names } from "./names.js"
import type { Roles } from "./roles.js"

/**
 * The two task definitions of the stack. A released service never runs either of them.
 *
 * - `template`, its own family, has everything the stack decides about a task. The pipeline takes it, sets image and
 *   version, and registers that as the next revision of the service's family.
 * - `first` is the service's family's first revision, the placeholder. It depends on nothing that is likely to change,
 *   because a change would register a second placeholder, as the newest of the family.
 */
export class Tasks extends Construct {
  readonly first: FargateTaskDefinition
  readonly template: FargateTaskDefinition
  readonly logGroup: LogGroup

  constructor(
    scope: Construct,
    id: string,
    props: { config: Config; names: Names; roles: Roles; repositoryUri: string },
  ) {
    super(scope, id)
    const { config, names, roles, repositoryUri } = props
    const { container, placeholder } = config
    this.logGroup = new LogGroup(this, "LogGroup", {
      logGroupName: names.logGroup,
      retention: config.logs.retentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const taskRoles = {
      taskRole: roles.task.withoutPolicyUpdates(),
      executionRole: roles.execution.withoutPolicyUpdates(),
    }
    const common = {
      containerName: container.name,
      portMappings: [{ containerPort: container.port }],
      logging: LogDrivers.awsLogs({ logGroup: this.logGroup, streamPrefix: container.name }),
    }

    this.first = new FargateTaskDefinition(this, "First", { family: names.family, ...taskRoles })
    this.first.addContainer("Container", {
      ...common,
      image: ContainerImage.fromRegistry(placeholder.image),
      ...(placeholder.command.length > 0 && { command: placeholder.command }),
    })

    this.template = new FargateTaskDefinition(this, "Template", {
      family: names.templateFamily,
      cpu: container.cpu,
      memoryLimitMiB: container.memory,
      runtimePlatform: {
        cpuArchitecture: CpuArchitecture.of(container.architecture),
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
      ...taskRoles,
    })
    this.template.addContainer("Container", {
      ...common,
      image: ContainerImage.fromRegistry(`${repositoryUri}:set-by-release`),
      stopTimeout: Duration.seconds(config.deployment.stopSeconds),
      readonlyRootFilesystem: container.readonlyRootFilesystem,
      ...(Object.keys(container.environment).length > 0 && { environment: container.environment }),
    })
    acknowledge(this.template, "ECS2", "container.environment is for what isn't secret.")
  }
}
