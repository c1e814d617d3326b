import { Duration, Tags } from "aws-cdk-lib"
import {
  AlarmBehavior,
  AlternateTarget,
  AvailabilityZoneRebalancing,
  type CfnService,
  Cluster,
  ContainerInsights,
  DeploymentStrategy,
  FargateService,
  ListenerRuleConfiguration,
  PropagatedTagSource,
  TaskDefinitionRevision,
} from "aws-cdk-lib/aws-ecs"
import { ManagedPolicy, Role } from "aws-cdk-lib/aws-iam"
import { Construct } from "constructs"
import type { Config } from "../config.js"
import { acknowledge } from "./acknowledge.js"
import type { Alarms } from "./alarms.js"
import type { Balancer } from "./balancer.js"
import type { Names } from "./names.js"
import type { Network } from "./network.js"
import type { Tasks } from "./tasks.js"
import { trustIfNamed } from "./trust.js"

/**
 * The service and its scaling.
 *
 * It names its task definition by family, without a revision: CloudFormation sends that property with every update of
 * the service, and ECS reads it as the newest active revision of the family, which is the pipeline's. It sets no
 * desired count either: that would undo the scaling.
 */
export class Service extends Construct {
  readonly cluster: Cluster
  readonly service: FargateService

  constructor(
    scope: Construct,
    id: string,
    props: {
      config: Config
      names: Names
      network: Network
      balancer: Balancer
      alarms: Alarms
      tasks: Tasks
    },
  ) {
    super(scope, id)
    const { config, names, network, balancer, alarms, tasks } = props
    this.cluster = new Cluster(this, "Cluster", {
      clusterName: names.cluster,
      vpc: network.vpc,
      containerInsightsV2: config.tasks.containerInsights
        ? ContainerInsights.ENABLED
        : ContainerInsights.DISABLED,
    })
    if (!config.tasks.containerInsights) {
      acknowledge(
        this.cluster,
        "ECS4",
        "Its metrics are billed by task: tasks.containerInsights turns them on.",
      )
    }
    const { strategy, bakeMinutes, step } = config.deployment
    const shifts = strategy !== "ROLLING"
    const steps = { stepPercent: step.percent, stepBakeTime: Duration.minutes(step.minutes) }
    this.service = new FargateService(this, "Service", {
      cluster: this.cluster,
      serviceName: names.service,
      taskDefinition: tasks.first,
      taskDefinitionRevision: TaskDefinitionRevision.LATEST,
      assignPublicIp: network.publicAddresses,
      vpcSubnets: network.taskSubnets,
      securityGroups: [network.taskGroup],
      availabilityZoneRebalancing: AvailabilityZoneRebalancing.ENABLED,
      healthCheckGracePeriod: Duration.seconds(30),
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { enable: true, rollback: true },
      deploymentAlarms: {
        alarmNames: alarms.all.map(({ alarmName }) => alarmName),
        behavior: AlarmBehavior.ROLLBACK_ON_ALARM,
      },
      ...(shifts && {
        deploymentStrategy: DeploymentStrategy[strategy],
        bakeTime: Duration.minutes(bakeMinutes),
      }),
      ...(strategy === "LINEAR" && { linearConfiguration: steps }),
      ...(strategy === "CANARY" && { canaryConfiguration: steps }),
      propagateTags: PropagatedTagSource.TASK_DEFINITION,
    })
    // The release's summary names it; DescribeServices gives tags, so that the pipeline needs no permissions for load balancers.
    Tags.of(this.service).add("ecs-release:url", balancer.url)
    const target = this.service.loadBalancerTarget({
      containerName: config.container.name,
      containerPort: config.container.port,
      ...(balancer.green !== undefined && {
        alternateTarget: new AlternateTarget("Alternate", {
          alternateTargetGroup: balancer.green,
          productionListener: ListenerRuleConfiguration.applicationListenerRule(balancer.rule),
          role: this.trafficRole(),
        }),
      }),
    })
    balancer.blue.addTarget(target)
    // ECS refuses a target group that no listener uses yet.
    this.service.node.addDependency(balancer.rule)
    if (shifts) this.acknowledgeShift()
    this.setDeployment(config)

    const { min, max, cpuPercent } = config.tasks
    const scaling = this.service.autoScaleTaskCount({ minCapacity: min, maxCapacity: max })
    scaling.scaleOnCpuUtilization("Cpu", { targetUtilizationPercent: cpuPercent })
  }

  /** The role with which ECS moves the traffic from one target group to the other. */
  private trafficRole(): Role {
    const policy = "AmazonECSInfrastructureRolePolicyForLoadBalancers"
    const role = new Role(this, "TrafficRole", {
      assumedBy: trustIfNamed(this, "ecs.amazonaws.com"),
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName(policy)],
    })
    const finding = `IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${policy}]`
    acknowledge(role, finding, "AWS's own policy for this purpose: ECS moves traffic between groups.")
    return role
  }

  /** Settings for which the CDK's own construct has no property. */
  private setDeployment({ deployment: { failedTasks, earlySuccessPercent, approval } }: Config) {
    const resource = this.service.node.defaultChild as CfnService
    const set = (path: string, value: unknown) =>
      resource.addPropertyOverride(`DeploymentConfiguration.${path}`, value)
    if (failedTasks !== undefined) {
      const threshold = { Type: "COUNT", Value: failedTasks }
      set("DeploymentCircuitBreaker.ThresholdConfiguration", threshold)
    }
    if (earlySuccessPercent !== undefined) {
      const cleanup = { SourceServiceRevisionCleanup: "DEFERRED" }
      set("EarlySuccessCriteria", { Enable: true, HealthyPercent: earlySuccessPercent, ...cleanup })
    }
    if (approval !== undefined) {
      const timeout = { TimeoutInMinutes: approval.minutes, Action: "ROLLBACK" }
      const hook = { TargetType: "PAUSE", LifecycleStages: [approval.stage], TimeoutConfiguration: timeout }
      set("LifecycleHooks", [hook])
    }
  }

  private acknowledgeShift() {
    // The CDK adds a dependency on the rule, although the reference to it already implies one.
    const resource = this.service.node.defaultChild as CfnService
    resource.addMetadata("cfn-lint", { config: { ignore_checks: ["W3005"] } })
  }
}
