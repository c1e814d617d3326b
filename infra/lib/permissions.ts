import { Arn, type Stack } from "aws-cdk-lib"
import type { Names } from "./names.js"

/** One statement of a policy, and why it is there. */
export type Permission = {
  sid: string
  actions: string[]
  resources: string[]
  conditions?: Record<string, Record<string, string | string[]>>
  /** Who needs it: a call in ci/src, or what the called service needs on top of that. */
  neededBy: "call" | "docker push" | "ECR" | "ECS" | "CodeBuild"
  because: string
}

/**
 * The permissions of a release. A test compares the statements that are `neededBy: "call"` with the calls in ci/src, both ways.
 * `sts:GetCallerIdentity` is not among them: AWS lets everyone call it.
 */
export function releasePermissions({ arns }: Names): Permission[] {
  const inCluster = { ArnEquals: { "ecs:cluster": arns.cluster } }
  return [
    {
      sid: "RegistryLogin",
      actions: ["ecr:GetAuthorizationToken"],
      resources: ["*"],
      neededBy: "call",
      because: "The login is the registry's, not a repository's: AWS takes no resource here.",
    },
    {
      sid: "RegistryImages",
      actions: [
        "ecr:DescribeRepositories",
        "ecr:DescribeImages",
        "ecr:DescribeImageScanFindings",
        "ecr:StartImageScan",
        "ecr:BatchGetImage",
        "ecr:PutImage",
      ],
      resources: [arns.repository],
      neededBy: "call",
      because:
        "Reads whether this version is pushed, its digest and findings (starts a scan if none exists); tags its manifest with the version.",
    },
    {
      sid: "ScanFindings",
      actions: ["inspector2:ListFindings", "inspector2:ListCoverage"],
      resources: ["*"],
      neededBy: "ECR",
      because: "With enhanced scanning ECR asks Amazon Inspector for an image's findings, as the caller.",
    },
    {
      sid: "RegistryLayers",
      actions: [
        "ecr:BatchCheckLayerAvailability",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:GetDownloadUrlForLayer",
      ],
      resources: [arns.repository],
      neededBy: "docker push",
      because: "Pushing uploads the layers that the repository lacks; rollback and run read an image back.",
    },
    {
      sid: "Service",
      actions: ["ecs:DescribeServices", "ecs:UpdateService", "ecs:ListServiceDeployments"],
      resources: [arns.service],
      neededBy: "call",
      because: "Reads the service, and points it at the new revision.",
    },
    {
      sid: "ServiceDeployments",
      actions: [
        "ecs:DescribeServiceDeployments",
        "ecs:StopServiceDeployment",
        "ecs:DescribeServiceRevisions",
      ],
      resources: [arns.service, arns.serviceDeployments, arns.serviceRevisions],
      neededBy: "call",
      because: "Follows this service's deployments, and stops one; ECS chooses their ids.",
    },
    {
      sid: "ReadTaskDefinitions",
      actions: ["ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"],
      resources: ["*"],
      neededBy: "call",
      because: "Reads what runs and what ran; AWS takes no resource here.",
    },
    {
      sid: "WriteTaskDefinitions",
      actions: ["ecs:RegisterTaskDefinition", "ecs:TagResource", "ecs:UntagResource"],
      resources: [arns.revisions, arns.taskRevisions],
      neededBy: "call",
      because:
        "Registers revisions of the service's and the one-off task's family, with version and outcome as tags; ECS numbers them.",
    },
    {
      sid: "DeregisterTaskDefinitions",
      actions: ["ecs:DeregisterTaskDefinition"],
      resources: ["*"],
      neededBy: "call",
      because: "A one-off task's revision is removed when the task has ended; AWS takes no resource here.",
    },
    {
      sid: "PassRoles",
      actions: ["iam:PassRole"],
      resources: [arns.taskRole, arns.executionRole],
      conditions: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
      neededBy: "ECS",
      because: "A revision names the two roles its tasks run with, and only those two.",
    },
    {
      sid: "ListTasks",
      actions: ["ecs:ListTasks"],
      resources: ["*"],
      conditions: inCluster,
      neededBy: "call",
      because:
        "Finds the tasks of a failed deployment; for Fargate tasks there is no resource to name here, so the cluster is the limit.",
    },
    {
      sid: "Tasks",
      actions: ["ecs:DescribeTasks", "ecs:StopTask"],
      resources: [arns.tasks],
      conditions: inCluster,
      neededBy: "call",
      because: "Reads why tasks stopped; stops a migration that takes too long; ECS chooses their ids.",
    },
    {
      sid: "RunTask",
      actions: ["ecs:RunTask"],
      resources: [arns.taskRevisions],
      conditions: inCluster,
      neededBy: "call",
      because: "Runs a migration or a one-off job with a revision of its own family; ECS numbers them.",
    },
    {
      sid: "TagTasks",
      actions: ["ecs:TagResource"],
      resources: [arns.tasks],
      conditions: { StringEquals: { "ecs:CreateAction": "RunTask" } },
      neededBy: "ECS",
      because: "A one-off task gets the tags that the service's tasks get.",
    },
    {
      sid: "TaskLogs",
      actions: ["logs:GetLogEvents"],
      resources: [arns.logStreams],
      neededBy: "call",
      because: "Reads the last log lines of a failed task; each task has its own stream.",
    },
    {
      sid: "ServiceLogs",
      actions: ["logs:FilterLogEvents"],
      resources: [arns.logGroup, `${arns.logGroup}:*`],
      neededBy: "call",
      because:
        "Reads the logs of the service's tasks, from this log group only; its ARN is needed with and without the suffix for streams.",
    },
  ]
}

/**
 * The permissions to approve or reject a deployment that waits. They are not part of a release, so that those who release need not be
 * those who approve. `status` and `release` need {@link releasePermissions}.
 */
export function approvalPermissions({ arns }: Names): Permission[] {
  return [
    {
      sid: "Approve",
      actions: ["ecs:ContinueServiceDeployment"],
      resources: [arns.service, arns.serviceDeployments],
      neededBy: "call",
      because: "Lets a deployment of this service continue, or rolls it back; ECS chooses their ids.",
    },
    {
      sid: "SeeWhatWaits",
      actions: [
        "ecs:DescribeServices",
        "ecs:ListServiceDeployments",
        "ecs:DescribeServiceDeployments",
        "ecs:DescribeServiceRevisions",
      ],
      resources: [arns.service, arns.serviceDeployments, arns.serviceRevisions],
      neededBy: "call",
      because: "Finds the deployment that waits, and its revision; ECS chooses their ids.",
    },
    {
      sid: "ReadTaskDefinitions",
      actions: ["ecs:DescribeTaskDefinition"],
      resources: ["*"],
      neededBy: "call",
      because: "Reads which version waits; AWS takes no resource here.",
    },
    {
      sid: "NoteWhoApproved",
      actions: ["ecs:TagResource", "ecs:UntagResource"],
      resources: [arns.revisions],
      neededBy: "call",
      because: "Records on the revision who approved or rejected it; ECS numbers the revisions.",
    },
  ]
}

/**
 * The permissions of `verify`, which checks before a release whether everything that a deployment needs exists. It reads no secret's
 * value. If one of these is missing, it says that it cannot tell.
 */
export function verifyPermissions({ arns }: Names): Permission[] {
  return [
    {
      sid: "Roles",
      actions: ["iam:GetRole", "iam:SimulatePrincipalPolicy"],
      resources: [arns.taskRole, arns.executionRole, arns.pipelineRoles],
      neededBy: "call",
      because:
        "Checks whether ECS may assume a task's roles, and whether the build's role may pass them; CloudFormation adds a suffix to its name.",
    },
    {
      sid: "Existence",
      actions: [
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "elasticloadbalancing:DescribeTargetGroups",
        "ssm:DescribeParameters",
        "servicequotas:GetServiceQuota",
      ],
      resources: ["*"],
      neededBy: "call",
      because: "Checks that what the service names exists, and the quota; AWS takes no resource here.",
    },
    {
      sid: "ByTheApplication",
      actions: ["logs:DescribeLogGroups", "secretsmanager:DescribeSecret", "lambda:GetFunctionConfiguration"],
      resources: ["*"],
      neededBy: "call",
      because:
        "Checks that the log groups, secrets and hook functions exist that a task definition or the service names, which the stack does not know; reads no values.",
    },
  ]
}

/**
 * The permissions to sign images, and to require signatures: with a key in KMS, or with ECR's managed signing (ECR user guide, "Managed
 * signing": ECR signs with the permissions of whoever pushes).
 */
export function signingPermissions({ arns, signingKey }: Names, how: "KMS" | "ECR"): Permission[] {
  if (how === "KMS") {
    return [
      {
        sid: "Sign",
        actions: ["kms:GetPublicKey", "kms:Sign"],
        resources: [arns.keys],
        conditions: { "ForAnyValue:StringEquals": { "kms:ResourceAliases": signingKey } },
        neededBy: "call",
        because: "Signs images, and checks signatures, with the key behind this alias; KMS chooses its id.",
      },
    ]
  }
  return [
    {
      sid: "Sign",
      actions: ["signer:SignPayload"],
      resources: [arns.signingProfile],
      neededBy: "ECR",
      because: "ECR signs an image with the permissions of whoever pushes it.",
    },
    {
      sid: "SigningStatus",
      actions: ["ecr:DescribeImageSigningStatus"],
      resources: [arns.repository],
      neededBy: "call",
      because: "Reads whether ECR has signed an image, before it is deployed.",
    },
  ]
}

/** The permissions to send notifications when a release starts, waits or ends. */
export function notifyPermissions({ arns }: Names, where: "SNS" | "EVENTBRIDGE"): Permission[] {
  const because = "Sends the notifications of a release to the stack's own topic or event bus."
  return where === "SNS"
    ? [{ sid: "Notify", actions: ["sns:Publish"], resources: [arns.topic], neededBy: "call", because }]
    : [
        {
          sid: "Notify",
          actions: ["events:PutEvents"],
          resources: [arns.eventBus],
          neededBy: "call",
          because,
        },
      ]
}

/** The permissions that ECS needs before a container starts. */
export function executionPermissions({ arns }: Names): Permission[] {
  return [
    {
      sid: "RegistryLogin",
      actions: ["ecr:GetAuthorizationToken"],
      resources: ["*"],
      neededBy: "ECS",
      because: "The login is the registry's, not a repository's: AWS takes no resource here.",
    },
    {
      sid: "PullImage",
      actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      resources: [arns.repository],
      neededBy: "ECS",
      because: "Pulls the image, from this repository only.",
    },
    {
      sid: "WriteLogs",
      actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
      resources: [arns.logStreams],
      neededBy: "ECS",
      because: "Each task writes to its own stream in the service's log group.",
    },
  ]
}

/**
 * What any build needs: its source, its log, its test report.
 *
 * @param logStreams ARN of the streams of the project's log group
 * @param reportGroups ARN of the project's report groups
 */
export function buildPermissions({ arns }: Names, logStreams: string, reportGroups: string): Permission[] {
  return [
    {
      sid: "Source",
      actions: ["codeconnections:GetConnection", "codeconnections:GetConnectionToken"],
      resources: [arns.connection],
      neededBy: "CodeBuild",
      because: "Clones the repository through the connection.",
    },
    {
      sid: "BuildLog",
      actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
      resources: [logStreams],
      neededBy: "CodeBuild",
      because: "Each build writes to its own stream in the project's log group.",
    },
    {
      sid: "TestReports",
      actions: [
        "codebuild:CreateReportGroup",
        "codebuild:CreateReport",
        "codebuild:UpdateReport",
        "codebuild:BatchPutTestCases",
      ],
      resources: [reportGroups],
      neededBy: "CodeBuild",
      because: "Stores the test report; CodeBuild names the group after project and buildspec.",
    },
  ]
}

/** What CodeBuild needs to run a build in a VPC's subnets (CodeBuild user guide, "Allow CodeBuild access to AWS services in a VPC"). */
export function vpcPermissions(stack: Stack, subnetIds: string[]): Permission[] {
  const arn = (resource: string) => Arn.format({ service: "ec2", resource }, stack)
  return [
    {
      sid: "NetworkInterface",
      actions: [
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
      ],
      resources: ["*"],
      neededBy: "CodeBuild",
      because: "A build in a VPC has a network interface there; AWS takes no resource for most of these.",
    },
    {
      sid: "NetworkInterfacePermission",
      actions: ["ec2:CreateNetworkInterfacePermission"],
      resources: [arn("network-interface/*")],
      conditions: {
        StringEquals: {
          "ec2:AuthorizedService": "codebuild.amazonaws.com",
          "ec2:Subnet": subnetIds.map(id => arn(`subnet/${id}`)),
        },
      },
      neededBy: "CodeBuild",
      because: "Lets CodeBuild use that interface, in the builds' subnets only.",
    },
  ]
}

/** What the ECS agent on an instance of a cluster needs (ECS developer guide, "Amazon ECS container instance IAM role"). */
export function instancePermissions(stack: Stack, cluster: string): Permission[] {
  const arn = (resource: string) => Arn.format({ service: "ecs", resource }, stack)
  const needed = { neededBy: "ECS", because: "The agent reports for the instances of this cluster." } as const
  return [
    {
      sid: "Cluster",
      actions: [
        "ecs:DeregisterContainerInstance",
        "ecs:RegisterContainerInstance",
        "ecs:SubmitAttachmentStateChanges",
        "ecs:SubmitContainerStateChange",
        "ecs:SubmitTaskStateChange",
      ],
      resources: [arn(`cluster/${cluster}`)],
      ...needed,
    },
    {
      sid: "Instances",
      actions: ["ecs:Poll", "ecs:StartTelemetrySession"],
      resources: [arn(`container-instance/${cluster}/*`)],
      ...needed,
    },
    {
      sid: "Endpoint",
      actions: ["ecs:DiscoverPollEndpoint"],
      resources: ["*"],
      neededBy: "ECS",
      because: "The agent asks where to report: AWS takes no resource here.",
    },
  ]
}

/** What the releasing build needs in addition. */
export function gitTokenPermission({ arns }: Names): Permission {
  return {
    sid: "GitToken",
    actions: ["secretsmanager:GetSecretValue"],
    resources: [arns.gitToken],
    neededBy: "CodeBuild",
    because:
      "Reads the token that pushes the version's tag; Secrets Manager adds six random characters to its ARN.",
  }
}
