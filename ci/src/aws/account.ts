import { UserError } from "../lib/errors.js"
import { plaintext } from "../lib/secret.js"
import type { Settings } from "../settings.js"
import { type Aws, sts } from "./clients.js"
import { explained } from "./errors.js"

/**
 * Where to call AWS, and with which credentials.
 *
 * @throws UserError if there are no credentials
 */
export async function openAws(settings: Settings): Promise<Aws> {
  const { region, awsEndpoint } = settings
  const [accessKeyId, secretAccessKey, sessionToken] = await Promise.all([
    plaintext(settings.awsAccessKeyId),
    plaintext(settings.awsSecretAccessKey),
    plaintext(settings.awsSessionToken),
  ])
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new UserError(
      "There are no AWS credentials.",
      accessKeyId === secretAccessKey
        ? ""
        : "Only one of the access key id and the secret access key is set.",
      'Export them: eval "$(aws configure export-credentials --format env)", or pass --aws-access-key-id and --aws-secret-access-key',
    )
  }
  await awsEndpoint?.start()
  const endpoint = await awsEndpoint?.endpoint({ scheme: "http" })
  return { region, credentials: { accessKeyId, secretAccessKey, sessionToken }, endpoint }
}

/**
 * The account that the credentials belong to (STS GetCallerIdentity, which needs no permission).
 *
 * @throws UserError if AWS does not know the credentials, or does not answer
 */
export async function accountOf(aws: Aws): Promise<string> {
  return explained(aws, async () => {
    const identity = await (await sts(aws)).getCallerIdentity({})
    return identity.Account ?? ""
  })
}
