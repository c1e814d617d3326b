import type { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs"
import type { ECRClient } from "@aws-sdk/client-ecr"
import type { ECSClient } from "@aws-sdk/client-ecs"
import type { STSClient } from "@aws-sdk/client-sts"

/** Where AWS calls go and as whom. */
export type Aws = {
  /** AWS region, such as `eu-north-1`. */
  region: string
  /** Static or temporary credentials; `sessionToken` goes with temporary ones. */
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }
  /** URL of an AWS-compatible endpoint; AWS's own where it is left out. */
  endpoint?: string
}

/**
 * What every client shares: adaptive retry (the SDK slows down when AWS throttles, up to eight attempts), 5 s to
 * connect and 30 s for an answer, so that an endpoint that hangs ends in an error and not in silence.
 */
function config(aws: Aws) {
  return {
    ...aws,
    retryMode: "adaptive",
    maxAttempts: 8,
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000 },
  }
}

// Each client's package is loaded by the first call that needs it: `version` starts without any of them.

/** Amazon ECR's client. */
export async function ecr(aws: Aws): Promise<ECRClient> {
  const { ECRClient } = await import("@aws-sdk/client-ecr")
  return new ECRClient(config(aws))
}

/** Amazon ECS's client. */
export async function ecs(aws: Aws): Promise<ECSClient> {
  const { ECSClient } = await import("@aws-sdk/client-ecs")
  return new ECSClient(config(aws))
}

/** Amazon CloudWatch Logs' client. */
export async function logs(aws: Aws): Promise<CloudWatchLogsClient> {
  const { CloudWatchLogsClient } = await import("@aws-sdk/client-cloudwatch-logs")
  return new CloudWatchLogsClient(config(aws))
}

/** AWS STS's client. */
export async function sts(aws: Aws): Promise<STSClient> {
  const { STSClient } = await import("@aws-sdk/client-sts")
  return new STSClient(config(aws))
}
