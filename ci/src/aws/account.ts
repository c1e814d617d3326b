import { UserError } from "../lib/errors.js"
import { required, type Settings } from "../settings.js"
import { type Aws, sts } from "./clients.js"
import { credentialsOf } from "./credentials.js"
import { explained } from "./errors.js"

/**
 * Where to call AWS, and with which credentials.
 *
 * @throws UserError if there are no credentials or no region, or if the credentials are for another account than the one that is set
 */
export async function openAws(settings: Settings): Promise<Aws> {
  const region = required(settings.region, "AWS region", "--region")
  const { awsEndpoint } = settings
  await awsEndpoint?.start()
  const endpoint = await awsEndpoint?.endpoint({ scheme: "http" })
  const aws = { region, credentials: await credentialsOf(settings, { region, endpoint }), endpoint }
  if (settings.account !== "") await assertAccount(aws, settings.account)
  return aws
}

/** With credentials of another account, a release or a rollback would hit something else that has the same names. */
export async function assertAccount(aws: Aws, wanted: string): Promise<void> {
  const { account, arn } = await identityOf(aws)
  if (account === wanted) return
  throw new UserError(
    `The AWS credentials are for account ${account}, but --account is ${wanted}.`,
    `They belong to ${arn}.`,
    "Pass credentials of that account, or --role-arn with a role there.",
  )
}

/**
 * The account that the credentials belong to (STS GetCallerIdentity, which needs no permission).
 *
 * @throws UserError if AWS does not know the credentials, or does not answer
 */
export async function accountOf(aws: Aws): Promise<string> {
  return (await identityOf(aws)).account
}

/** An account, and the ARN of a user or of a role's session in it. */
export type Identity = { account: string; arn: string }

/**
 * Whose the credentials are: the account, and the ARN of the user or of the role's session.
 *
 * @throws as {@link accountOf}
 */
export async function identityOf(aws: Aws): Promise<Identity> {
  return explained(aws, async () => {
    const { Account: account = "", Arn: arn = "" } = await (await sts(aws)).getCallerIdentity({})
    return { account, arn }
  })
}
