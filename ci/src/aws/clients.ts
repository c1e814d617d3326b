import { UserError } from "../lib/errors.js"
import type {
  CloudWatchLogs,
  ECR,
  ECS,
  Ec2,
  EcsCommands,
  EventBridge,
  Iam,
  KMS,
  Lambda,
  LoadBalancing,
  Quotas,
  SecretsManager,
  SNS,
  Ssm,
  STS,
} from "./types.js"

/** An access key. `sessionToken` and `expiration` go with temporary ones. */
export type Credentials = {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
  expiration?: Date
}

/** Where AWS calls go, and with which credentials. */
export type Aws = {
  /** AWS region, such as `eu-north-1`. */
  region: string
  /** Credentials, or a function that returns them whenever they are needed. */
  credentials: Credentials | (() => Promise<Credentials>)
  /** URL of an AWS-compatible endpoint; AWS's own if it is left out. */
  endpoint?: string
  /** How long calls may take; {@link limits} if it is left out. */
  limits?: Limits
}

/** How long the parts of a call may take, in milliseconds. */
export type Limits = {
  /** To connect, per attempt. */
  connect: number
  /** Until the answer begins, and then until more of it comes, per attempt. */
  answer: number
  /** The whole call: its retries, the waits between them, and the last byte of the answer. */
  call: number
}

const limits: Limits = { connect: 5_000, answer: 30_000, call: 120_000 }

/** What every client shares: adaptive retry (the SDK slows down when AWS throttles, up to eight attempts), and limits. */
function config({ limits: { connect, answer } = limits, ...aws }: Aws) {
  return {
    ...aws,
    retryMode: "adaptive",
    maxAttempts: 8,
    requestHandler: {
      connectionTimeout: connect,
      requestTimeout: answer,
      // Without it the SDK only logs that the time is up, and keeps waiting.
      throwOnRequestTimeout: true,
      // The request's own timeout ends with the headers: this one is for a body that stops arriving.
      socketTimeout: answer,
    },
  }
}

/** The part of a client that {@link ending} changes. */
type Client = {
  send(command: never, options?: { abortSignal?: AbortSignal }): unknown
  middlewareStack: { add(middleware: never, options: never): void }
}

/** Gives every call of a client a time limit, and refuses answers that are not from AWS. */
function ending<C extends Client>(client: C, { limits: { call } = limits }: Aws): C {
  const send = client.send.bind(client) as (command: unknown, options: object) => Promise<unknown>
  const bounded = async (command: unknown, options: object = {}) => {
    const abortSignal = AbortSignal.timeout(call)
    try {
      return await send(command, { ...options, abortSignal })
    } catch (cause) {
      if (!abortSignal.aborted) throw cause
      const why = `The call did not finish within ${call / 1000} s, retries included.`
      throw Object.assign(new Error(why, { cause }), { name: "TimeoutError" })
    }
  }
  client.middlewareStack.add(refusePages as never, { step: "deserialize", priority: "low" } as never)
  return Object.assign(client, { send: bounded })
}

type Answer = { response: { statusCode?: number; headers?: Record<string, string> } }

/** AWS answers in JSON or XML. A page comes from a proxy, and some of the SDK's parsers mistake it for an empty answer. */
const refusePages =
  <A, R extends Answer>(next: (args: A) => Promise<R>) =>
  async (args: A): Promise<R> => {
    const result = await next(args)
    const { statusCode: httpStatusCode, headers = {} } = result.response
    if (!/^text\/html/i.test(headers["content-type"] ?? "")) return result
    // The status lets the SDK try again if a gateway is at fault (502, 503, 504).
    throw Object.assign(new Error(`It is an HTML page with the status ${httpStatusCode}.`), {
      name: unreadable,
      $metadata: { httpStatusCode },
    })
  }

/** Name of the error for an answer that is not from AWS. */
export const unreadable = "UnreadableAnswer"

/** More pages than any AWS list that is read here can have. */
const maxPages = 1000

/**
 * All pages of a list.
 *
 * @param read reads one page, with the token from the page before
 * @param most how many pages the list can have at most
 * @throws UserError if the list has no end
 */
export async function* pages<P extends { nextToken?: string }>(
  read: (nextToken: string | undefined) => Promise<P>,
  most = maxPages,
): AsyncGenerator<P> {
  const seen = new Set<string>()
  let nextToken: string | undefined
  do {
    const page = await read(nextToken)
    yield page
    nextToken = page.nextToken
    if (!nextToken) return
    if (seen.has(nextToken) || seen.size >= most) {
      throw new UserError(
        "AWS's list does not end.",
        seen.has(nextToken) ? "A page leads back to an earlier one." : `It has more than ${most} pages.`,
        "Check that the endpoint is AWS's, then run the same command again.",
      )
    }
    seen.add(nextToken)
  } while (true)
}

// The SDK is loaded only here, by the first call that needs it: `version` starts without any of it. "as string" keeps
// Dagger's SDK, which looks for literals, from following an import to all of the package's types.

/** A package's client, with the same time limits as all others. */
async function load<C extends object>(aws: Aws, name: string, from: Promise<object>): Promise<C> {
  const sdk = (await from) as Record<string, new (config: object) => C & Client>
  return ending(new (sdk[name] as new (config: object) => C & Client)(config(aws)), aws)
}

export const ecr = (aws: Aws) => load<ECR>(aws, "ECR", import("@aws-sdk/client-ecr" as string))
export const ecs = (aws: Aws) => load<ECS>(aws, "ECS", import("@aws-sdk/client-ecs" as string))
export const logs = (aws: Aws) =>
  load<CloudWatchLogs>(aws, "CloudWatchLogs", import("@aws-sdk/client-cloudwatch-logs" as string))
export const sts = (aws: Aws) => load<STS>(aws, "STS", import("@aws-sdk/client-sts" as string))
export const kms = (aws: Aws) => load<KMS>(aws, "KMS", import("@aws-sdk/client-kms" as string))
export const sns = (aws: Aws) => load<SNS>(aws, "SNS", import("@aws-sdk/client-sns" as string))
export const eventBridge = (aws: Aws) =>
  load<EventBridge>(aws, "EventBridge", import("@aws-sdk/client-eventbridge" as string))
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

/** Amazon ECS's calls one by one, for those that need their own middleware. */
export const ecsCommands = (): Promise<EcsCommands> => import("@aws-sdk/client-ecs" as string)
