import type { Secret } from "@dagger.io/dagger"
import { UserError } from "../lib/errors.js"
import { parseJson } from "../lib/json.js"
import { plaintext } from "../lib/secret.js"
import { type Aws, type Credentials, sts } from "./clients.js"
import { explained } from "./errors.js"

/** The settings that say who calls AWS. */
export type CredentialSettings = {
  awsCredentials?: Secret
  awsAccessKeyId?: Secret
  awsSecretAccessKey?: Secret
  awsSessionToken?: Secret
  roleArn: string
}

/** How long before they expire credentials are replaced, in milliseconds; the AWS SDK does the same. */
const margin = 5 * 60_000

/**
 * The credentials for AWS calls: the caller's own, or those of the role that is assumed with them. They are fetched again before they
 * expire, so that a long release does not outlive them.
 *
 * @throws UserError if there are none
 */
export async function credentialsOf(
  settings: CredentialSettings,
  place: Pick<Aws, "region" | "endpoint">,
): Promise<() => Promise<Credentials>> {
  const { awsCredentials, roleArn } = settings
  const own = awsCredentials
    ? renewed(() => processCredentials(awsCredentials))
    : renewed(() => keyCredentials(settings))
  await own()
  return roleArn === "" ? own : renewed(() => assume(roleArn, { ...place, credentials: own }))
}

/** Keeps credentials until shortly before they expire. */
function renewed(load: () => Promise<Credentials>): () => Promise<Credentials> {
  let kept: Promise<Credentials> | undefined
  return async () => {
    const last = await kept?.catch(() => undefined)
    if (last && !isOver(last)) return last
    kept = load()
    return kept
  }
}

function isOver({ expiration }: Credentials): boolean {
  return expiration !== undefined && expiration.getTime() - Date.now() < margin
}

/** The access key from three secrets. */
async function keyCredentials(settings: CredentialSettings): Promise<Credentials> {
  const [accessKeyId, secretAccessKey, sessionToken] = await Promise.all([
    plaintext(settings.awsAccessKeyId),
    plaintext(settings.awsSecretAccessKey),
    plaintext(settings.awsSessionToken),
  ])
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    return { accessKeyId, secretAccessKey, sessionToken }
  }
  throw new UserError(
    "There are no AWS credentials.",
    accessKeyId === secretAccessKey ? "" : "Only one of the access key id and the secret access key is set.",
    'Pass --aws-credentials "cmd://aws configure export-credentials", or export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY and name them: --aws-access-key-id env://AWS_ACCESS_KEY_ID, and so on',
  )
}

/**
 * Credentials in the JSON that a `credential_process` or `aws configure export-credentials` prints (AWS CLI user guide, "Sourcing
 * credentials with an external process"), or that a container's credentials endpoint returns (with `Token` instead of `SessionToken`),
 * as in CodeBuild and ECS.
 */
async function processCredentials(secret: Secret): Promise<Credentials> {
  const wrong = (why: string) =>
    new UserError(
      "--aws-credentials returned no AWS credentials.",
      why,
      "Run `aws configure export-credentials` yourself: it must print JSON with AccessKeyId and SecretAccessKey. If it asks you to sign in, do so (aws sso login).",
    )
  const text = await plaintext(secret)
  if (text === undefined) throw wrong("It is empty, or its command failed.")
  const found = parsed(text)
  if (found === undefined) throw wrong("It is not a JSON object.")
  const { AccessKeyId, SecretAccessKey, SessionToken, Token, Expiration } = found
  if (!AccessKeyId || !SecretAccessKey) throw wrong("Its JSON has no AccessKeyId or no SecretAccessKey.")
  const expiration = Expiration ? new Date(Expiration) : undefined
  if (expiration && !(expiration.getTime() > Date.now())) {
    throw wrong(`They expired at ${Expiration}, or that is not a date.`)
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken || Token || undefined,
    expiration,
  }
}

function parsed(text: string): Record<string, string> | undefined {
  const value = parseJson(text)
  return typeof value === "object" && value !== null ? (value as Record<string, string>) : undefined
}

/**
 * The credentials of a role (STS AssumeRole), for an hour: a role's default limit. The session is named after the caller, so that AWS's
 * records, and the record of who approved a deployment, show who it was.
 */
async function assume(roleArn: string, aws: Aws): Promise<Credentials> {
  return explained(aws, async () => {
    const client = await sts(aws)
    const { Arn = "" } = await client.getCallerIdentity({})
    const name = Arn.split(/[/:]/)
      .at(-1)
      ?.replace(/[^\w+=,.@-]/g, "-")
      .slice(0, 64)
    const { Credentials: found } = await client.assumeRole({
      RoleArn: roleArn,
      RoleSessionName: name && name.length > 1 ? name : "ecs-release",
    })
    return {
      accessKeyId: found?.AccessKeyId ?? "",
      secretAccessKey: found?.SecretAccessKey ?? "",
      sessionToken: found?.SessionToken,
      expiration: found?.Expiration,
    }
  })
}
