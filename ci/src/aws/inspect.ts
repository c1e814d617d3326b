import { type Aws, load } from "./clients.js"

// What `verify` asks of services that nothing else here needs. Their packages are loaded when it does, and their types are not used:
// the SDK reads all types in reach each time the module starts, and EC2's alone are larger than all of this module. A test compares
// these shapes with the packages' own.

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

export const iam = (aws: Aws) => load<Iam>(aws, "IAM", import("@aws-sdk/client-iam" as string))
export const secretsManager = (aws: Aws) =>
  load<SecretsManager>(aws, "SecretsManager", import("@aws-sdk/client-secrets-manager" as string))
export const ssm = (aws: Aws) => load<Ssm>(aws, "SSM", import("@aws-sdk/client-ssm" as string))
export const ec2 = (aws: Aws) => load<Ec2>(aws, "EC2", import("@aws-sdk/client-ec2" as string))
export const loadBalancing = (aws: Aws) =>
  load<LoadBalancing>(
    aws,
    "ElasticLoadBalancingV2",
    import("@aws-sdk/client-elastic-load-balancing-v2" as string),
  )
export const lambda = (aws: Aws) => load<Lambda>(aws, "Lambda", import("@aws-sdk/client-lambda" as string))
export const quotas = (aws: Aws) =>
  load<Quotas>(aws, "ServiceQuotas", import("@aws-sdk/client-service-quotas" as string))
