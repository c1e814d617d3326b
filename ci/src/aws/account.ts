import { required, type Settings } from "../settings.js"
import { type Aws, sts } from "./clients.js"
import { credentialsOf } from "./credentials.js"
import { explained } from "./errors.js"

/**
 * Where to call AWS, and with which credentials.
 *
 * @throws UserError if there are no credentials or no region
 */
export async function openAws(settings: Settings): Promise<Aws> {
  const region = required(settings.region, "AWS region", "--region")
  const { awsEndpoint } = settings
  await awsEndpoint?.start()
  const endpoint = await awsEndpoint?.endpoint({ scheme: "http" })
  return { region, credentials: await credentialsOf(settings, { region, endpoint }), endpoint }
}

/**
 * The account that the credentials belong to (STS GetCallerIdentity, which needs no permission).
 *
 * @throws UserError if AWS does not know the credentials, or does not answer
 */
export async function accountOf(aws: Aws): Promise<string> {
  return (await identityOf(aws)).account
}

/**
 * Whose the credentials are: the account, and the ARN of the user or of the role's session.
 *
 * @throws as {@link accountOf}
 */
export async function identityOf(aws: Aws): Promise<{ account: string; arn: string }> {
  return explained(aws, async () => {
    const { Account: account = "", Arn: arn = "" } = await (await sts(aws)).getCallerIdentity({})
    return { account, arn }
  })
}
