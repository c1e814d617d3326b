import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts"
import { SESSION_SECONDS, WORLD } from "./names.js"

/** The account's root user at a running emulator: who sets the account up. */
export interface Root {
  port: number
  rootKey: string
}

/** Temporary credentials of the pipeline's role, such as a CodeBuild build has. `until` is in milliseconds. */
export interface Session {
  id: string
  secret: string
  token: string
  until: number
}

/** What an AWS client needs to act as the account's root. The emulator takes that key without checking signatures. */
export function asRoot({ port, rootKey }: Root) {
  const credentials = { accessKeyId: rootKey, secretAccessKey: "unused" }
  return { region: WORLD.region, endpoint: `http://127.0.0.1:${port}`, credentials }
}

/** Opens a session as the pipeline's role, for as long as one can last. */
export async function openSession(root: Root): Promise<Session> {
  const sts = new STSClient(asRoot(root))
  const { Credentials: given } = await sts.send(
    new AssumeRoleCommand({
      RoleArn: `arn:aws:iam::${WORLD.accountId}:role/${WORLD.pipelineRole}`,
      RoleSessionName: "offline",
      DurationSeconds: SESSION_SECONDS,
    }),
  )
  return {
    id: given?.AccessKeyId ?? "",
    secret: given?.SecretAccessKey ?? "",
    token: given?.SessionToken ?? "",
    until: Date.now() + SESSION_SECONDS * 1000,
  }
}
