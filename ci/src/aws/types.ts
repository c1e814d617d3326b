// The types of AWS's answers, and of the clients that are used here. Dagger's SDK reads every type that it can reach each time the
// module starts. These types come from the files with nothing but shapes: the packages' own entry points would add 700 files, and about
// a second to each start (docs/performance.md). A test compares the clients here with the packages' own.

import type * as Ecr from "@aws-sdk/client-ecr/dist-types/models/models_0.js"
import type * as Ecs from "@aws-sdk/client-ecs/dist-types/models/models_0.js"
import type * as Ecs1 from "@aws-sdk/client-ecs/dist-types/models/models_1.js"

export type {
  DescribeImageScanFindingsResponse,
  ImageDetail,
  ImageIdentifier,
} from "@aws-sdk/client-ecr/dist-types/models/models_0.js"
export type { DeploymentLifecycleHookStage } from "@aws-sdk/client-ecs/dist-types/models/enums.js"
export type {
  ContainerDefinition,
  DeploymentConfiguration,
  DeploymentLifecycleHook,
  ServiceDeployment,
  Tag,
  TaskDefinition,
} from "@aws-sdk/client-ecs/dist-types/models/models_0.js"

export type {
  Container,
  Deployment,
  RegisterTaskDefinitionRequest,
  RunTaskRequest,
  RunTaskResponse,
  Service,
  ServiceDeploymentBrief,
  Task,
} from "@aws-sdk/client-ecs/dist-types/models/models_1.js"

type Call<Input, Output> = (input: Input) => Promise<Output>

/** Amazon ECS. */
export type ECS = {
  describeServices: Call<Ecs1.DescribeServicesRequest, Ecs1.DescribeServicesResponse>
  updateService: Call<Ecs1.UpdateServiceRequest, Ecs1.UpdateServiceResponse>
  listServiceDeployments: Call<Ecs1.ListServiceDeploymentsRequest, Ecs1.ListServiceDeploymentsResponse>
  describeServiceDeployments: Call<
    Ecs.DescribeServiceDeploymentsRequest,
    Ecs.DescribeServiceDeploymentsResponse
  >
  describeServiceRevisions: Call<Ecs1.DescribeServiceRevisionsRequest, Ecs1.DescribeServiceRevisionsResponse>
  continueServiceDeployment: Call<Ecs.ContinueServiceDeploymentRequest, Ecs.ContinueServiceDeploymentResponse>
  stopServiceDeployment: Call<Ecs1.StopServiceDeploymentRequest, Ecs1.StopServiceDeploymentResponse>
  listTaskDefinitions: Call<Ecs1.ListTaskDefinitionsRequest, Ecs1.ListTaskDefinitionsResponse>
  deregisterTaskDefinition: Call<Ecs.DeregisterTaskDefinitionRequest, Ecs.DeregisterTaskDefinitionResponse>
  tagResource: Call<Ecs1.TagResourceRequest, Ecs1.TagResourceResponse>
  untagResource: Call<Ecs1.UntagResourceRequest, Ecs1.UntagResourceResponse>
  listTasks: Call<Ecs.ListTasksRequest, Ecs.ListTasksResponse>
  describeTasks: Call<Ecs1.DescribeTasksRequest, Ecs1.DescribeTasksResponse>
  runTask: Call<Ecs1.RunTaskRequest, Ecs1.RunTaskResponse>
  stopTask: Call<Ecs1.StopTaskRequest, Ecs1.StopTaskResponse>
  send<Output>(command: Command<Output>): Promise<Output>
}

/** A call as an object, to which middleware of its own can be added. */
export type Command<Output> = {
  middlewareStack: { add(middleware: Middleware<Output>, options: object): void }
}

/** Middleware: it sees a call's request before it is sent, and the response before it is read. */
type Middleware<Output> = (next: Step<Output>) => Step<Output>
// biome-ignore lint/suspicious/noExplicitAny: the SDK's own type for what a request and a response are
type Step<Output> = (args: { input: any; request: any }) => Promise<{ output: Output; response: any }>

/** Amazon ECS's calls one by one, for those that need their own middleware. */
export type EcsCommands = {
  DescribeTaskDefinitionCommand: new (
    input: Ecs.DescribeTaskDefinitionRequest,
  ) => Command<Ecs.DescribeTaskDefinitionResponse>
  RegisterTaskDefinitionCommand: new (
    input: Ecs1.RegisterTaskDefinitionRequest,
  ) => Command<Ecs1.RegisterTaskDefinitionResponse>
}

/** Amazon ECR. */
export type ECR = {
  describeRepositories: Call<Ecr.DescribeRepositoriesRequest, Ecr.DescribeRepositoriesResponse>
  describeImages: Call<Ecr.DescribeImagesRequest, Ecr.DescribeImagesResponse>
  batchGetImage: Call<Ecr.BatchGetImageRequest, Ecr.BatchGetImageResponse>
  putImage: Call<Ecr.PutImageRequest, Ecr.PutImageResponse>
  getAuthorizationToken: Call<Ecr.GetAuthorizationTokenRequest, Ecr.GetAuthorizationTokenResponse>
  startImageScan: Call<Ecr.StartImageScanRequest, Ecr.StartImageScanResponse>
  describeImageSigningStatus: Call<
    Ecr.DescribeImageSigningStatusRequest,
    Ecr.DescribeImageSigningStatusResponse
  >
  describeImageScanFindings: Call<Ecr.DescribeImageScanFindingsRequest, Ecr.DescribeImageScanFindingsResponse>
}

/** Amazon CloudWatch Logs. */
export type CloudWatchLogs = {
  describeLogGroups: Call<
    { logGroupNamePrefix?: string },
    { logGroups?: { logGroupName?: string; retentionInDays?: number }[] }
  >
  getLogEvents: Call<
    {
      logGroupName: string
      logStreamName: string
      startFromHead: boolean
      limit: number
      nextToken?: string
    },
    { events?: { timestamp?: number; message?: string }[]; nextForwardToken?: string }
  >
  filterLogEvents: Call<
    { logGroupName: string; logStreamNamePrefix?: string; startTime: number; nextToken?: string },
    { events?: FilteredLogEvent[]; nextToken?: string }
  >
}

/** A line of a log. */
export type FilteredLogEvent = {
  eventId?: string
  logStreamName?: string
  timestamp?: number
  ingestionTime?: number
  message?: string
}

/** AWS STS. */
export type STS = {
  getCallerIdentity: Call<object, { Account?: string; Arn?: string }>
  assumeRole: Call<
    { RoleArn: string; RoleSessionName: string },
    {
      Credentials?: {
        AccessKeyId: string | undefined
        SecretAccessKey: string | undefined
        SessionToken: string | undefined
        Expiration: Date | undefined
      }
    }
  >
}

/** AWS KMS. */
export type KMS = {
  getPublicKey: Call<
    { KeyId: string },
    { KeyId?: string; KeySpec?: string; KeyUsage?: string; PublicKey?: Uint8Array }
  >
  sign: Call<
    {
      KeyId: string
      Message: Uint8Array
      MessageType: "DIGEST"
      SigningAlgorithm: "ECDSA_SHA_256"
      DryRun?: boolean
    },
    { Signature?: Uint8Array }
  >
}

/** Amazon SNS. */
export type SNS = {
  publish: Call<
    {
      TopicArn: string
      Subject?: string
      Message: string
      MessageAttributes?: { [name: string]: { DataType: string; StringValue: string } }
    },
    { MessageId?: string }
  >
}

/** Amazon EventBridge. */
export type EventBridge = {
  putEvents: Call<
    {
      Entries: {
        EventBusName: string
        Source: string
        DetailType: string
        Detail: string
        Resources?: string[]
        Time?: Date
      }[]
    },
    { FailedEntryCount?: number; Entries?: { ErrorCode?: string; ErrorMessage?: string }[] }
  >
}

// The calls that `verify` makes to services that nothing else here needs. Their packages are loaded on the first call, and their types
// are not used: Dagger's SDK reads every type that it can reach each time the module starts, and EC2's alone are larger than all of this
// module. A test compares these shapes with the packages' own.

/** AWS IAM: roles, and whether one may be passed. */
export type Iam = {
  getRole(input: {
    RoleName: string
  }): Promise<{ Role?: { Arn?: string; AssumeRolePolicyDocument?: string } }>
  simulatePrincipalPolicy(input: {
    PolicySourceArn: string
    ActionNames: string[]
    ResourceArns: string[]
    ContextEntries: { ContextKeyName: string; ContextKeyValues: string[]; ContextKeyType: "string" }[]
  }): Promise<{
    EvaluationResults?: {
      EvalDecision?: string
      MissingContextValues?: string[]
      OrganizationsDecisionDetail?: { AllowedByOrganizations?: boolean }
    }[]
  }>
}

/** AWS Secrets Manager: what a secret is, never its value. */
export type SecretsManager = {
  describeSecret(input: {
    SecretId: string
  }): Promise<{ DeletedDate?: Date; VersionIdsToStages?: Record<string, string[]> }>
}

/** AWS Systems Manager: what a parameter is, never its value. */
export type Ssm = {
  describeParameters(input: {
    ParameterFilters: { Key: string; Option: string; Values: string[] }[]
    NextToken?: string
  }): Promise<{ Parameters?: { Name?: string }[]; NextToken?: string }>
}

/** Amazon EC2: subnets and security groups. */
export type Ec2 = {
  describeSubnets(input: {
    SubnetIds: string[]
  }): Promise<{ Subnets?: { SubnetId?: string; VpcId?: string }[] }>
  describeSecurityGroups(input: {
    GroupIds: string[]
  }): Promise<{ SecurityGroups?: { GroupId?: string; VpcId?: string }[] }>
}

/** Elastic Load Balancing: target groups. */
export type LoadBalancing = {
  describeTargetGroups(input: { TargetGroupArns: string[] }): Promise<{
    TargetGroups?: { TargetType?: string }[]
  }>
}

/** AWS Lambda: functions. */
export type Lambda = {
  getFunctionConfiguration(input: { FunctionName: string }): Promise<{ State?: string }>
}

/** Service Quotas: what an account may use. */
export type Quotas = {
  getServiceQuota(input: { ServiceCode: string; QuotaCode: string }): Promise<{ Quota?: { Value?: number } }>
}
