import { UserError } from "../lib/errors.js"
import { unreadable } from "./clients.js"

/** What the call was about. Whatever is known makes the message better. */
export type ErrorContext = {
  region: string
  endpoint?: string
  cluster?: string
  service?: string
  repository?: string
}

/** The parts of an AWS SDK error, or of a Node.js network error, that say what is wrong. */
type Raised = Error & {
  code?: string
  errors?: { code?: string }[]
  $fault?: "client" | "server"
  $metadata?: { httpStatusCode?: number; attempts?: number; requestId?: string }
  $retryable?: { throttling?: boolean }
}

const unreachable = /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE)$/
const throttled =
  /^(Throttl|TooManyRequests|RequestLimitExceeded|RequestThrottled|ProvisionedThroughput|SlowDown|BandwidthLimit)/
const denied = /^(AccessDenied|UnauthorizedOperation|AuthorizationError|NotAuthorized)/
const unknownKey = /^(UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|MissingAuthenticationToken)/
const badSignature = /^(InvalidSignature|SignatureDoesNotMatch|IncompleteSignature)/
const skewed = /^(RequestTimeTooSkewed|RequestExpired|RequestInTheFuture)/
const skewedText = /signature (expired|not yet current)/i

/**
 * Runs calls to AWS; an error from AWS, the SDK or the network becomes a {@link UserError} that says what happened, why,
 * and what to do. A UserError passes through; so does any other error, which is a bug and keeps its stack.
 *
 * @param context what the calls are about, for the message
 * @param calls the calls
 * @throws UserError
 */
export async function explained<T>(context: ErrorContext, calls: () => Promise<T>): Promise<T> {
  try {
    return await calls()
  } catch (error) {
    throw explain(error, context)
  }
}

/** The error to show for one raised by a call to AWS; see {@link explained}. */
export function explain(error: unknown, context: ErrorContext): unknown {
  if (!(error instanceof Error) || error instanceof UserError) return error
  const raised = error as Raised
  return (
    identity(raised, context) ??
    missing(raised, context) ??
    garbled(raised, context) ??
    network(raised, context) ??
    other(raised, context)
  )
}

/** Whether an error may go away by itself: throttling, a server fault, a network hiccup, or a truncated answer. */
export function passing(error: unknown): boolean {
  const raised = error as Raised
  return isThrottling(raised) || raised.$fault === "server" || isUnreachable(raised) || isGarbled(raised)
}

function isThrottling(raised: Raised): boolean {
  return (
    throttled.test(raised.name) ||
    raised.$retryable?.throttling === true ||
    raised.$metadata?.httpStatusCode === 429
  )
}

function isUnreachable(raised: Raised): boolean {
  const codes = [raised.code, ...(raised.errors ?? []).map(({ code }) => code)]
  return codes.some(code => code !== undefined && unreachable.test(code)) || raised.name === "TimeoutError"
}

/** Something answered, but not the way AWS does: the SDK could not read it, or it is an HTML page. */
function isGarbled({ name, message }: Raised): boolean {
  return name === unreadable || /Deserialization error/.test(message)
}

/** Who asks, and whether they may. */
function identity(raised: Raised, context: ErrorContext): UserError | undefined {
  const { name, message } = raised
  const { region, endpoint } = context
  if (denied.test(name)) return refused(message, context)
  if (/^Expired(Token|Credentials)/.test(name) || /security token .*expired/i.test(message)) {
    return new UserError(
      "The AWS credentials have expired.",
      message,
      "Get fresh ones and run the same command again: it resumes where this one stopped.",
    )
  }
  if (skewed.test(name) || skewedText.test(message)) {
    return new UserError(
      "AWS refused the request's timestamp.",
      message,
      `This machine's clock says ${new Date().toISOString()}: correct it (for example with NTP) and run again.`,
    )
  }
  if (unknownKey.test(name)) {
    return new UserError(
      `AWS does not know this access key in ${region}.`,
      message,
      `Check the access key, and that temporary credentials have their session token${
        endpoint ? `, and that ${endpoint} is the endpoint you mean` : ""
      }. A region that has to be enabled first (opt-in) refuses keys in the same way.`,
    )
  }
  if (badSignature.test(name)) {
    return new UserError(
      "AWS refused the request's signature.",
      message,
      "Check the secret access key: it must belong to this access key, without spaces or line breaks.",
    )
  }
  if (name === "CredentialsProviderError") {
    return new UserError(
      "There are no AWS credentials.",
      message,
      "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary ones).",
    )
  }
  return undefined
}

/** The action that is named in AWS's access denied message. */
function actionIn(message: string): string | undefined {
  return /perform:? ([a-z0-9-]+:\w+)/i.exec(message)?.[1]
}

/** The permission that an error says is missing, such as `iam:GetRole`; undefined if it is about something else. */
export function missingRight(error: unknown): string | undefined {
  const { name = "", message = "" } = error as Partial<Raised>
  return denied.test(name) ? (actionIn(message) ?? "a permission") : undefined
}

/** AWS's message names who, which action and which resource; the remedy repeats them as a policy would. */
function refused(message: string, { cluster, service, repository }: ErrorContext): UserError {
  const action = actionIn(message)
  const resource = /on resource:? (\S+?)[.,]?(?:\s|$)/i.exec(message)?.[1]
  const who = /(?:User|principal):? (arn:\S+)/i.exec(message)?.[1]
  const meant = [service && `service ${cluster}/${service}`, repository && `repository ${repository}`]
    .filter(Boolean)
    .join(", ")
  const place = resource ? ` on ${resource}` : meant ? ` (${meant})` : ""
  const what = action === undefined ? "AWS denied access." : `AWS denied ${action}${place}.`
  if (action === undefined) {
    return new UserError(what, message, "Check the policies of the role or user behind these credentials.")
  }
  const grant = `Allow ${action} on ${resource ?? "the resource"} for ${who ?? "the role or user of these credentials"}`
  const pass =
    action === "iam:PassRole"
      ? ", with the condition iam:PassedToService: ecs-tasks.amazonaws.com for a task's role, ecs.amazonaws.com for one that ECS itself uses (hooks, volumes)"
      : action === "sts:AssumeRole"
        ? ", there and in the role's trust policy"
        : ""
  return new UserError(what, message, `${grant}${pass}, then run again.`)
}

/** AWS cannot find something. A wrong region looks the same, so each remedy names the region that was used. */
function missing(raised: Raised, context: ErrorContext): UserError | undefined {
  const { region } = context
  const cluster = context.cluster ?? "the cluster"
  const inRegion = `If it is in a region other than ${region}, set --region.`
  switch (raised.name) {
    case "ClusterNotFoundException":
      return new UserError(
        `There is no ECS cluster "${cluster}" in ${region}.`,
        raised.message,
        `Set --cluster to one that 'aws ecs list-clusters --region ${region}' shows. ${inRegion}`,
      )
    case "ClientException":
      if (!/Unable to describe task definition/.test(raised.message)) return undefined
      return new UserError(
        `There is no such task definition in ${region}.`,
        raised.message,
        `Set --template to a family that 'aws ecs list-task-definition-families --region ${region}' shows. ${inRegion}`,
      )
    case "ServiceNotFoundException":
      return noService(context)
    case "ServiceNotActiveException":
      return new UserError(
        `The service "${context.service}" in cluster "${cluster}" is not active.`,
        raised.message,
        "Create it again (it was deleted or is being deleted), then run again.",
      )
    case "RepositoryNotFoundException":
      return new UserError(
        `There is no ECR repository "${context.repository ?? ""}" in ${region}.`,
        raised.message,
        `Create it, or set --repository. ${inRegion}`,
      )
    case "ImageNotFoundException":
      return noImage(context, raised.message)
    case "UpdateInProgressException":
      return new UserError(
        `ECS is still working on an earlier update of "${context.service}".`,
        raised.message,
        "Wait for it ('status' shows it) or stop it with 'rollback', then run again.",
      )
    default:
      return undefined
  }
}

/** The error for a service that does not exist. */
export function noService({ region, cluster, service }: ErrorContext): UserError {
  return new UserError(
    `There is no service "${service}" in the ECS cluster "${cluster}" in ${region}.`,
    "",
    `Set --service to one that 'aws ecs list-services --cluster ${cluster} --region ${region}' shows. If it is in another region, set --region.`,
  )
}

/** The error for an image that does not exist. */
export function noImage({ region, repository }: ErrorContext, details: string): UserError {
  return new UserError(
    `The image is not in the ECR repository "${repository ?? ""}" in ${region}.`,
    details,
    "Push it first ('push' or 'release'), or see 'history' for the versions that are there.",
  )
}

function garbled(raised: Raised, { region, endpoint }: ErrorContext): UserError | undefined {
  if (!isGarbled(raised)) return undefined
  return new UserError(
    `The answer from ${endpoint ?? `AWS in ${region}`} cannot be read.`,
    raised.message.split("\n")[0],
    `Run the same command again. If it fails again, something other than AWS is answering: check the ${
      endpoint ? "endpoint's address" : "network's proxy"
    }.`,
  )
}

function network(raised: Raised, { region, endpoint }: ErrorContext): UserError | undefined {
  if (isThrottling(raised)) {
    const attempts = raised.$metadata?.attempts
    return new UserError(
      `AWS is throttling the calls${attempts ? `: it refused ${attempts} times in a row` : ""}.`,
      raised.message,
      "Something else in this account and region is calling the same API often. Wait a minute and run the same command again: it resumes where this one stopped.",
    )
  }
  if (!isUnreachable(raised)) return undefined
  const where = endpoint ?? `AWS in ${region}`
  return new UserError(
    `${where} does not answer.`,
    raised.message || raised.code || raised.errors?.[0]?.code,
    endpoint
      ? "Check that the endpoint is running and that the address is right."
      : `Check the network and the region's name (${region}): a region that does not exist has no address.`,
  )
}

function other(raised: Raised, { region, service }: ErrorContext): unknown {
  if (raised.$fault === undefined) return raised
  const about = service ? ` about the service "${service}"` : ""
  if (raised.$fault === "server") {
    return new UserError(
      `AWS failed to answer${about} (${raised.name}).`,
      raised.message,
      `Check https://health.aws.amazon.com/health/status for ${region}, then run the same command again.`,
    )
  }
  const id = raised.$metadata?.requestId
  return new UserError(
    `AWS refused a request${about} (${raised.name}).`,
    raised.message,
    id && `Request id: ${id}.`,
  )
}
