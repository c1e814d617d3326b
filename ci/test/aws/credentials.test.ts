import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts"
import type { Secret } from "@dagger.io/dagger"
import { mockClient } from "aws-sdk-client-mock"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { openAws } from "../../src/aws/account.js"
import { credentialsOf } from "../../src/aws/credentials.js"
import { EcsRelease } from "../../src/index.js"

const sts = mockClient(STSClient)
const place = { region: "eu-north-1" }
const none = { roleArn: "" }
const hour = 3_600_000

/** A secret that gives what `read` gives, each time anew. */
const secret = (read: () => string) => ({ plaintext: async () => read() }) as unknown as Secret
const json = (key: string, expires?: number) =>
  JSON.stringify({
    Version: 1,
    ...{ AccessKeyId: key, SecretAccessKey: "secret", SessionToken: "token" },
    ...(expires !== undefined && { Expiration: new Date(expires).toISOString() }),
  })

beforeEach(() => {
  sts.reset()
  sts
    .on(GetCallerIdentityCommand)
    .resolves({ Arn: "arn:aws:sts::1:assumed-role/AWSReservedSSO_Dev/ada@example.com" })
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1), toFake: ["Date"] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe("credentials", () => {
  it("come from the environment, as three secrets", async () => {
    const [awsAccessKeyId, awsSecretAccessKey] = [secret(() => "AKIA"), secret(() => "s")]
    const load = await credentialsOf({ ...none, awsAccessKeyId, awsSecretAccessKey }, place)
    expect(await load()).toEqual({ accessKeyId: "AKIA", secretAccessKey: "s", sessionToken: undefined })
    await expect(credentialsOf({ ...none, awsAccessKeyId }, place)).rejects.toThrow(/Only one of.*→/s)
    await expect(credentialsOf(none, place)).rejects.toThrow(/no AWS credentials[\s\S]*export-credentials/)
  })

  it("are asked for again five minutes before they expire, and not earlier", async () => {
    let asked = 0
    const awsCredentials = secret(() => json(`ASIA${++asked}`, Date.now() + hour))
    const load = await credentialsOf({ ...none, awsCredentials }, place)
    const key = async () => (await load()).accessKeyId
    expect([await key(), await key()]).toEqual(["ASIA1", "ASIA1"])
    vi.setSystemTime(Date.now() + hour - 6 * 60_000)
    expect(await key()).toBe("ASIA1")
    vi.setSystemTime(Date.now() + 2 * 60_000)
    expect([await key(), await key()]).toEqual(["ASIA2", "ASIA2"])
  })

  it("are also read in the form that a container's endpoint returns", async () => {
    const text = JSON.stringify({
      ...{ RoleArn: "x", AccessKeyId: "ASIA", SecretAccessKey: "s", Token: "t" },
      Expiration: new Date(Date.now() + hour).toISOString(),
    })
    const load = await credentialsOf({ ...none, awsCredentials: secret(() => `${text}\n`) }, place)
    expect(await load()).toMatchObject({ accessKeyId: "ASIA", sessionToken: "t" })
  })

  it.each([
    ["", /empty, or its command failed/],
    ["AKIA secret", /not a JSON object/],
    ['{"AccessKeyId":"AKIA"}', /no AccessKeyId or no SecretAccessKey/],
    [json("ASIA", Date.UTC(2020, 0, 1)), /They expired at 2020-01-01/],
  ])("that are %j are refused, and not shown", async (text, why) => {
    const error = await credentialsOf({ ...none, awsCredentials: secret(() => text) }, place).catch(String)
    expect(error).toMatch(why)
    expect(error).toMatch(/→ /)
    expect(error).not.toContain('SecretAccessKey":"secret')
  })

  it("of a role are assumed with them, and again before those expire", async () => {
    let assumed = 0
    sts.on(AssumeRoleCommand).callsFake(() => ({
      Credentials: {
        ...{ AccessKeyId: `ROLE${++assumed}`, SecretAccessKey: "s", SessionToken: "t" },
        Expiration: new Date(Date.now() + hour),
      },
    }))
    const roleArn = "arn:aws:iam::111122223333:role/release"
    const load = await credentialsOf({ roleArn, awsCredentials: secret(() => json("ASIA")) }, place)
    expect(await load()).toMatchObject({ accessKeyId: "ROLE1", sessionToken: "t" })
    vi.setSystemTime(Date.now() + hour)
    expect(await load()).toMatchObject({ accessKeyId: "ROLE2" })
    // So that AWS's records say who it was.
    const asked = { RoleArn: roleArn, RoleSessionName: "ada@example.com" }
    expect(sts.commandCalls(AssumeRoleCommand)[0]?.args[0].input).toEqual(asked)
  })

  it("of a role that may not be assumed: an error says so", async () => {
    const denied = Object.assign(new Error("not authorized to perform: sts:AssumeRole"), {
      name: "AccessDenied",
    })
    sts.on(AssumeRoleCommand).rejects(denied)
    const roleArn = "arn:aws:iam::111122223333:role/release"
    const load = await credentialsOf({ roleArn, awsCredentials: secret(() => json("ASIA")) }, place)
    await expect(load()).rejects.toThrow(/sts:AssumeRole[\s\S]*→ /)
  })
})

it("there is no region by default, and the error says where to set one", async () => {
  await expect(openAws(new EcsRelease())).rejects.toThrow(/No AWS region is set[\s\S]*ECS_RELEASE_region/)
})
