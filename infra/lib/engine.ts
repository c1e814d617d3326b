import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib"
import {
  AutoScalingGroup,
  BlockDeviceVolume,
  EbsDeviceVolumeType,
  UpdatePolicy,
} from "aws-cdk-lib/aws-autoscaling"
import {
  InstanceArchitecture,
  InstanceType,
  LaunchTemplate,
  Port,
  SecurityGroup,
  UserData,
} from "aws-cdk-lib/aws-ec2"
import {
  AmiHardwareType,
  AsgCapacityProvider,
  Cluster,
  ContainerImage,
  ContainerInsights,
  Ec2Service,
  Ec2TaskDefinition,
  EcsOptimizedImage,
  LogDrivers,
  NetworkMode,
  Protocol,
} from "aws-cdk-lib/aws-ecs"
import { Role } from "aws-cdk-lib/aws-iam"
import { LogGroup } from "aws-cdk-lib/aws-logs"
import { DnsRecordType, NamespaceType } from "aws-cdk-lib/aws-servicediscovery"
import { Construct } from "constructs"
import type { Config } from "../config.js"
import { acknowledge } from "./acknowledge.js"
import type { Network } from "./network.js"
import { instancePermissions } from "./permissions.js"
import { roleOf } from "./roles.js"
import { trust, trustIfNamed } from "./trust.js"

/**
 * The port that the engine listens on. Anybody who reaches it can do anything in it, because it has no users: the security group only lets
 * the releasing builds in. The code that they build reaches it as well, over the bridge of the engine's own containers.
 */
const port = 1234

/**
 * A Dagger engine that keeps running: one ECS service on one EC2 instance in the private subnets. Its cache is on the instance's volume, so
 * it outlives builds, restarts and upgrades of the engine, but not the instance. Only the releasing project's builds reach it.
 *
 * It runs on EC2, not Fargate, because the engine runs containers and has to be privileged for that. There is one task at a time, because
 * two engines cannot share a cache: an upgrade stops the old one first.
 */
export class Engine extends Construct {
  /** The value of `_EXPERIMENTAL_DAGGER_RUNNER_HOST` for the Dagger CLI in a build. */
  readonly address: string
  /** The builds' own group, which the engine lets in. */
  readonly clients: SecurityGroup

  constructor(
    scope: Construct,
    id: string,
    config: Config,
    engine: NonNullable<Config["build"]["engine"]>,
    { vpc, taskSubnets: vpcSubnets }: Network,
  ) {
    super(scope, id)
    const name = `${config.name}-engine`
    this.clients = new SecurityGroup(this, "Clients", { vpc, description: "Builds that use the engine" })
    const group = new SecurityGroup(this, "Group", { vpc, description: "The engine: open to builds only" })
    group.addIngressRule(this.clients, Port.tcp(port), "From the builds")

    const cluster = new Cluster(this, "Cluster", {
      clusterName: name,
      vpc,
      containerInsightsV2: ContainerInsights.DISABLED,
      defaultCloudMapNamespace: { name: `${config.name}.internal`, type: NamespaceType.DNS_PRIVATE },
    })
    acknowledge(
      cluster,
      "ECS4",
      "One task, whose health ECS watches: its metrics would cost more than they are worth.",
    )
    // It registers the instance. The service names no provider, so that neither has to wait for the other to be created or deleted.
    const provider = new AsgCapacityProvider(this, "Capacity", {
      autoScalingGroup: this.instance(name, engine, vpc, vpcSubnets),
      enableManagedScaling: false,
      enableManagedTerminationProtection: false,
      enableManagedDraining: true,
    })
    cluster.addAsgCapacityProvider(provider)

    new Ec2Service(this, "Service", {
      cluster,
      serviceName: name,
      taskDefinition: this.task(name, engine, config.logs.retentionDays),
      desiredCount: 1,
      minHealthyPercent: 0,
      maxHealthyPercent: 100,
      // If a new engine does not start, ECS goes back to the version before it.
      circuitBreaker: { enable: true, rollback: true },
      vpcSubnets,
      securityGroups: [group],
      cloudMapOptions: { name: "engine", dnsRecordType: DnsRecordType.A, dnsTtl: Duration.seconds(10) },
    })
    this.address = `tcp://engine.${config.name}.internal:${port}`
  }

  private instance(
    name: string,
    { instanceType, cacheGiB }: NonNullable<Config["build"]["engine"]>,
    vpc: Network["vpc"],
    vpcSubnets: Network["taskSubnets"],
  ): AutoScalingGroup {
    const type = new InstanceType(instanceType)
    const isArm = type.architecture === InstanceArchitecture.ARM_64
    const role = roleOf(this, "InstanceRole", {
      roleName: `${name}-instance`,
      assumedBy: trustIfNamed(this, "ec2.amazonaws.com"),
      permissions: instancePermissions(Stack.of(this), name),
    })
    const userData = UserData.forLinux()
    userData.addCommands(
      // Keeps containers away from the instance's credentials.
      "echo ECS_AWSVPC_BLOCK_IMDS=true >> /etc/ecs/ecs.config",
      "mkdir -p /etc/dagger /var/lib/dagger",
      `echo '${JSON.stringify({ gc: { maxUsedSpace: "80%" }, security: { insecureRootCapabilities: false } })}' > /etc/dagger/engine.json`,
    )
    const launchTemplate = new LaunchTemplate(this, "LaunchTemplate", {
      instanceType: type,
      machineImage: EcsOptimizedImage.amazonLinux2023(isArm ? AmiHardwareType.ARM : AmiHardwareType.STANDARD),
      // The CDK would add more than the agent needs.
      role: role.withoutPolicyUpdates(),
      userData,
      securityGroup: new SecurityGroup(this, "InstanceGroup", {
        vpc,
        description: "The instance of the engine: open to nobody",
      }),
      requireImdsv2: true,
      httpPutResponseHopLimit: 1,
      blockDevices: [
        {
          deviceName: "/dev/xvda",
          volume: BlockDeviceVolume.ebs(cacheGiB, { encrypted: true, volumeType: EbsDeviceVolumeType.GP3 }),
        },
      ],
    })
    const instances = new AutoScalingGroup(this, "Instances", {
      vpc,
      vpcSubnets,
      launchTemplate,
      minCapacity: 1,
      maxCapacity: 1,
      // A new instance type, volume or image replaces the instance: the old one goes first.
      updatePolicy: UpdatePolicy.rollingUpdate({ minInstancesInService: 0, maxBatchSize: 1 }),
    })
    acknowledge(instances, "AS3", "One instance, which is replaced if it fails: builds that need it say so.")
    return instances
  }

  private task(
    name: string,
    { version }: NonNullable<Config["build"]["engine"]>,
    retention: number,
  ): Ec2TaskDefinition {
    const assumedBy = trust(this, "ecs-tasks.amazonaws.com", { service: "ecs", resource: "*" })
    const task = new Ec2TaskDefinition(this, "Task", {
      family: name,
      taskRole: new Role(this, "TaskRole", { roleName: `${name}-task`, assumedBy }),
      executionRole: new Role(this, "ExecutionRole", { roleName: `${name}-execution`, assumedBy }),
      networkMode: NetworkMode.AWS_VPC,
      volumes: [
        { name: "cache", host: { sourcePath: "/var/lib/dagger" } },
        { name: "settings", host: { sourcePath: "/etc/dagger/engine.json" } },
      ],
    })
    const container = task.addContainer("engine", {
      image: ContainerImage.fromRegistry(`registry.dagger.io/engine:v${version}`),
      command: ["--addr", `tcp://0.0.0.0:${port}`],
      privileged: true,
      memoryReservationMiB: 1024,
      // The check of Dagger's Helm chart, as patient as ECS allows: a busy engine answers late, and if it is stopped, its builds are lost.
      healthCheck: {
        command: ["CMD", "dagger", "core", "version"],
        interval: Duration.seconds(30),
        timeout: Duration.seconds(29),
        retries: 10,
        startPeriod: Duration.seconds(120),
      },
      stopTimeout: Duration.seconds(120),
      portMappings: [{ containerPort: port, protocol: Protocol.TCP }],
      logging: LogDrivers.awsLogs({
        streamPrefix: "engine",
        logGroup: new LogGroup(this, "Log", {
          logGroupName: `/ecs/${name}`,
          retention,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      }),
    })
    container.addMountPoints(
      { sourceVolume: "cache", containerPath: "/var/lib/dagger", readOnly: false },
      { sourceVolume: "settings", containerPath: "/etc/dagger/engine.json", readOnly: true },
    )
    acknowledge(task, "ECS2", "Nothing in it is secret: the engine gets no variables.")
    return task
  }
}
