import { Annotations, Duration, RemovalPolicy } from "aws-cdk-lib"
import { Certificate, CertificateValidation } from "aws-cdk-lib/aws-certificatemanager"
import { SubnetType } from "aws-cdk-lib/aws-ec2"
import {
  ApplicationListenerRule,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  ApplicationTargetGroup,
  ListenerAction,
  ListenerCondition,
  SslPolicy,
  TargetType,
} from "aws-cdk-lib/aws-elasticloadbalancingv2"
import { ARecord, HostedZone, RecordTarget } from "aws-cdk-lib/aws-route53"
import { LoadBalancerTarget } from "aws-cdk-lib/aws-route53-targets"
import { BlockPublicAccess, Bucket, BucketEncryption } from "aws-cdk-lib/aws-s3"
import { Construct } from "constructs"
import type { Config } from "../config.js"
import { acknowledge } from "./acknowledge.js"
import { type Network, secure } from "./network.js"

/** The load balancer, its listener, and the target groups: one, and a second one if deployments are blue/green. */
export class Balancer extends Construct {
  readonly loadBalancer: ApplicationLoadBalancer
  readonly blue: ApplicationTargetGroup
  readonly green?: ApplicationTargetGroup
  /** The rule that ECS turns from blue to green and back. */
  readonly rule: ApplicationListenerRule
  readonly url: string

  constructor(scope: Construct, id: string, config: Config, network: Network) {
    super(scope, id)
    const { access, deployment, name } = config
    this.loadBalancer = new ApplicationLoadBalancer(this, "LoadBalancer", {
      loadBalancerName: name,
      vpc: network.vpc,
      vpcSubnets: { subnetType: SubnetType.PUBLIC },
      internetFacing: !access.internal,
      securityGroup: network.balancerGroup,
      dropInvalidHeaderFields: true,
    })
    if (access.accessLogs) {
      const bucket = new Bucket(this, "AccessLogs", {
        blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
        encryption: BucketEncryption.S3_MANAGED, // The only kind that load balancers write to.
        enforceSSL: true,
        lifecycleRules: [{ expiration: Duration.days(config.logs.retentionDays) }],
        removalPolicy: RemovalPolicy.RETAIN,
      })
      this.loadBalancer.logAccessLogs(bucket)
      acknowledge(bucket, "S1", "This is the log bucket: a log of who wrote logs would need one itself.")
    } else {
      acknowledge(this.loadBalancer, "ELB2", "Turned off by access.accessLogs.")
    }

    const https = secure(config)
    const listener = this.loadBalancer.addListener("Listener", {
      protocol: https ? ApplicationProtocol.HTTPS : ApplicationProtocol.HTTP,
      ...(https && { certificates: [this.certificate(access)], sslPolicy: SslPolicy.RECOMMENDED_TLS }),
      defaultAction: ListenerAction.fixedResponse(404),
      open: false,
    })
    if (https) this.loadBalancer.addRedirect({ open: false })
    else if (openToAll(access)) {
      Annotations.of(this).addWarningV2(
        "ecs-release:plain-http",
        "The service is open to the world over plain HTTP: anyone in between can read and change what visitors send and get. " +
          "Set access.certificateArn or access.domain in config.ts, or limit access.allowedCidrs.",
      )
    }

    this.blue = this.targetGroup("Blue", config, network)
    if (deployment.strategy !== "ROLLING") this.green = this.targetGroup("Green", config, network)
    this.rule = new ApplicationListenerRule(this, "Rule", {
      listener,
      priority: 1,
      conditions: [ListenerCondition.pathPatterns(["*"])],
      action: this.forward(),
    })

    const host = access.domain?.name ?? this.loadBalancer.loadBalancerDnsName
    this.url = `${https ? "https" : "http"}://${host}/`
    if (access.domain !== undefined) {
      new ARecord(this, "Record", {
        zone: this.zone(access.domain),
        recordName: `${access.domain.name}.`,
        target: RecordTarget.fromAlias(new LoadBalancerTarget(this.loadBalancer)),
      })
    }
  }

  /** All traffic to blue; ECS moves it to green and back, deployment by deployment. */
  private forward(): ListenerAction {
    if (this.green === undefined) return ListenerAction.forward([this.blue])
    return ListenerAction.weightedForward([
      { targetGroup: this.blue, weight: 100 },
      { targetGroup: this.green, weight: 0 },
    ])
  }

  private targetGroup(
    id: string,
    { container, deployment }: Config,
    { vpc }: Network,
  ): ApplicationTargetGroup {
    return new ApplicationTargetGroup(this, id, {
      vpc,
      port: container.port,
      protocol: ApplicationProtocol.HTTP,
      targetType: TargetType.IP,
      deregistrationDelay: Duration.seconds(deployment.drainSeconds),
      healthCheck: {
        path: container.healthPath,
        // The shortest possible interval, as AWS recommends. A new task is in service after its first good answer.
        interval: Duration.seconds(5),
        timeout: Duration.seconds(4),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 3,
      },
    })
  }

  private certificate({ certificateArn, domain }: Config["access"]) {
    if (certificateArn !== undefined)
      return Certificate.fromCertificateArn(this, "Certificate", certificateArn)
    if (domain === undefined) throw new Error("HTTPS needs a certificate or a domain") // `secure` has checked this.
    const validation = CertificateValidation.fromDns(this.zone(domain))
    return new Certificate(this, "Certificate", { domainName: domain.name, validation })
  }

  private zone({ zoneName, hostedZoneId }: NonNullable<Config["access"]["domain"]>) {
    const found = this.node.tryFindChild("Zone")
    if (found !== undefined) return found as HostedZone
    return HostedZone.fromHostedZoneAttributes(this, "Zone", { zoneName, hostedZoneId })
  }
}

/** Whether any address on the internet may reach the load balancer. */
function openToAll({ internal, allowedCidrs }: Config["access"]): boolean {
  return !internal && allowedCidrs.some(cidr => cidr.endsWith("/0"))
}
