import {
  CfnSecurityGroup,
  FlowLogDestination,
  IpAddresses,
  type ISecurityGroup,
  SecurityGroup,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2"
import { type CfnRole, PolicyDocument, PolicyStatement } from "aws-cdk-lib/aws-iam"
import { Construct } from "constructs"
import type { Config } from "../config.js"
import { acknowledge } from "./acknowledge.js"
import { trust } from "./trust.js"

/** A VPC in two zones, and the two security groups: the world reaches the balancer, the balancer reaches the tasks. */
export class Network extends Construct {
  readonly vpc: Vpc
  readonly balancerGroup: ISecurityGroup
  readonly taskGroup: ISecurityGroup
  /** Where tasks run. */
  readonly taskSubnets: { subnetType: SubnetType }
  readonly publicAddresses: boolean

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    const { cidr, egress, flowLogs } = config.network
    const nat = egress === "nat"
    this.publicAddresses = !nat
    this.taskSubnets = { subnetType: nat ? SubnetType.PRIVATE_WITH_EGRESS : SubnetType.PUBLIC }
    this.vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr(cidr),
      maxAzs: 2,
      natGateways: nat ? 1 : 0,
      subnetConfiguration: [
        { name: "public", subnetType: SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        ...(nat ? [{ name: "tasks", subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 22 }] : []),
      ],
      ...(flowLogs && { flowLogs: { all: { destination: FlowLogDestination.toCloudWatchLogs() } } }),
    })

    if (flowLogs) {
      this.trustFlowLog()
    } else {
      acknowledge(this.vpc, "VPC7", "Flow logs are billed by volume: network.flowLogs turns them on.")
    }

    const ports = secure(config) ? [80, 443] : [80]
    const balancer = new CfnSecurityGroup(this, "BalancerGroup", {
      vpcId: this.vpc.vpcId,
      groupDescription: "Load balancer: open to those who may reach the service",
      securityGroupIngress: ports.flatMap(port => config.access.allowedCidrs.map(cidr => from(cidr, port))),
      securityGroupEgress: [{ ...tcp(config.container.port), cidrIp: cidr, description: "To the tasks" }],
    })
    const tasks = new CfnSecurityGroup(this, "TaskGroup", {
      vpcId: this.vpc.vpcId,
      groupDescription: "Tasks: open to the load balancer only",
      securityGroupIngress: [
        {
          ...tcp(config.container.port),
          sourceSecurityGroupId: balancer.attrGroupId,
          description: "From the load balancer",
        },
      ],
      securityGroupEgress: [
        {
          ipProtocol: "-1",
          cidrIp: "0.0.0.0/0",
          description: "To the registry, the logs and what the app calls",
        },
      ],
    })
    acknowledge(balancer, "EC23", "The service's front door: access.allowedCidrs says who may reach it.")
    const fixed = { mutable: false }
    this.balancerGroup = SecurityGroup.fromSecurityGroupId(this, "Balancer", balancer.attrGroupId, fixed)
    this.taskGroup = SecurityGroup.fromSecurityGroupId(this, "Tasks", tasks.attrGroupId, fixed)
  }

  /** Narrows the trust policy of the flow log's role in place: a new role would mean a new flow log. */
  private trustFlowLog() {
    const role = this.vpc.node.findChild("all").node.findChild("IAMRole").node.defaultChild as CfnRole
    const source = { service: "ec2", resource: "vpc-flow-log/*" }
    const principals = [trust(this, "vpc-flow-logs.amazonaws.com", source)]
    const statements = [new PolicyStatement({ actions: ["sts:AssumeRole"], principals })]
    role.assumeRolePolicyDocument = new PolicyDocument({ statements })
  }
}

/** Whether the service uses HTTPS. */
export function secure({ access }: Config): boolean {
  return access.certificateArn !== undefined || access.domain !== undefined
}

function tcp(port: number) {
  return { ipProtocol: "tcp", fromPort: port, toPort: port }
}

function from(cidr: string, port: number) {
  const range = cidr.includes(":") ? { cidrIpv6: cidr } : { cidrIp: cidr }
  return { ...tcp(port), ...range, description: `Port ${port} from ${cidr.replaceAll(":", "-")}` }
}
