import { CfnOutput, Fn, LegacyStackSynthesizer, Stack } from "aws-cdk-lib"
import type { Construct } from "constructs"
import type { Config } from "../config.js"
import { Alarms } from "./alarms.js"
import { Balancer } from "./balancer.js"
import { Build } from "./build.js"
import { CrossAccount } from "./cross-account.js"
import { GithubActions } from "./github-actions.js"
import { namesOf } from "./names.js"
import { Network } from "./network.js"
import { Notify } from "./notify.js"
import { notifyPermissions, signingPermissions } from "./permissions.js"
import { Registry } from "./registry.js"
import { Roles } from "./roles.js"
import { Service } from "./service.js"
import { Signing } from "./signing.js"
import { Tasks } from "./tasks.js"

/** Everything the pipeline needs in an account. */
export class ReleaseStack extends Stack {
  constructor(scope: Construct, config: Config) {
    super(scope, config.name, {
      env: { account: config.account, region: config.region },
      description: "The pipeline from a commit to a running ECS service, and the service",
      // No assets, so no bootstrap: the template goes to CloudFormation as it is, with the caller's own rights.
      synthesizer: new LegacyStackSynthesizer(),
      // CloudFormation accepts 51,200 bytes that way, and indentation would use up a good part of that.
      suppressTemplateIndentation: true,
    })
    const names = namesOf(this, config)
    const { repository } = new Registry(this, "Registry", names.repository, config.registry)
    const network = new Network(this, "Network", config)
    const roles = new Roles(this, "Roles", config.name, names)
    const balancer = new Balancer(this, "Balancer", config, network)
    const alarms = new Alarms(this, "Alarms", config, balancer)
    const tasks = new Tasks(this, "Tasks", { config, names, roles, repositoryUri: repository.repositoryUri })
    const service = new Service(this, "Service", { config, names, network, balancer, alarms, tasks })
    const forReleases = [roles.release, roles.verify]
    const extra = [
      ...(config.registry.signing ? signingPermissions(names, config.registry.signing) : []),
      ...(config.notify ? notifyPermissions(names, config.notify) : []),
    ]
    if (extra.length > 0) {
      const policy = roles.alsoFor(config.name, extra)
      forReleases.push(policy)
      new CfnOutput(this, "ReleaseExtraPolicy", { value: policy.managedPolicyArn })
    }
    if (config.registry.signing) {
      const { reference } = new Signing(this, "Signing", names, config.registry.signing, config.crossAccount)
      new CfnOutput(this, "SigningKey", { value: reference })
    }
    if (config.notify) {
      const { arn } = new Notify(this, "Notify", names, config.notify)
      new CfnOutput(this, "NotifyArn", { value: arn })
    }
    new Build(this, "Build", { config, names, policies: forReleases, network })
    if (config.source.githubActions) {
      const { role } = new GithubActions(this, "GithubActions", config, forReleases)
      new CfnOutput(this, "GithubActionsRole", { value: role.roleArn })
    }

    const { role } = new CrossAccount(this, "CrossAccount", { config, repository, policies: forReleases })
    if (role) new CfnOutput(this, "CrossAccountRole", { value: role.roleArn })

    const outputs = {
      Url: balancer.url,
      RepositoryName: repository.repositoryName,
      RepositoryUri: repository.repositoryUri,
      ClusterName: service.cluster.clusterName,
      ServiceName: service.service.serviceName,
      ContainerName: config.container.name,
      TemplateFamily: names.templateFamily,
      LogGroup: tasks.logGroup.logGroupName,
      BuildProject: names.project,
      ReleasePolicy: roles.release.managedPolicyArn,
      ApprovalPolicy: roles.approval.managedPolicyArn,
      VerifyPolicy: roles.verify.managedPolicyArn,
    }
    for (const [id, value] of Object.entries(outputs)) new CfnOutput(this, id, { value })
  }

  /** The region's first two zones, as CloudFormation sees them: synthesis needs no account. */
  override get availabilityZones(): string[] {
    return [0, 1].map(index => Fn.select(index, Fn.getAzs()))
  }
}
