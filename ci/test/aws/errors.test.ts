import { describe, expect, it } from "vitest"
import { explain, explained } from "../../src/aws/errors.js"
import { describeService, openService } from "../../src/ecs/service.js"
import { UserError } from "../../src/lib/errors.js"
import { aws, ecs, failure } from "../ecs/mock.js"

const about = { region: "eu-north-1", cluster: "prod", service: "web", repository: "web" }
const message = (name: string, text = "", extra: object = {}) =>
  (explain(failure(name, text, extra), about) as Error).message

describe("what AWS refuses", () => {
  it("names the action, the resource and who asked", () => {
    const text =
      "User: arn:aws:sts::123456789012:assumed-role/ci/x is not authorized to perform: ecs:UpdateService on resource: arn:aws:ecs:eu-north-1:123456789012:service/prod/web because no identity-based policy allows the ecs:UpdateService action"
    expect(message("AccessDeniedException", text).split("\n")).toEqual([
      "AWS denied ecs:UpdateService on arn:aws:ecs:eu-north-1:123456789012:service/prod/web.",
      text,
      "→ Allow ecs:UpdateService on arn:aws:ecs:eu-north-1:123456789012:service/prod/web for arn:aws:sts::123456789012:assumed-role/ci/x, then run again.",
    ])
  })

  it("says how to pass a role", () => {
    const text =
      "User: arn:aws:iam::1:user/ci is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/task because …"
    expect(message("AccessDeniedException", text)).toContain("with the condition iam:PassedToService")
  })

  it.each([
    ["ExpiredTokenException", "", /^The AWS credentials have expired/],
    ["UnrecognizedClientException", "", /^AWS does not know this access key in eu-north-1.*opt-in/s],
    [
      "InvalidSignatureException",
      "The request signature we calculated does not match",
      /^AWS refused the request's signature.*secret access key/s,
    ],
    [
      "InvalidSignatureException",
      "Signature expired: 20250101T000000Z is now earlier than",
      /^AWS refused the request's timestamp.*clock/s,
    ],
    ["RequestTimeTooSkewed", "", /^AWS refused the request's timestamp/],
    ["CredentialsProviderError", "", /^There are no AWS credentials/],
    ["ClusterNotFoundException", "", /^There is no ECS cluster "prod" in eu-north-1.*--region/s],
    ["ServiceNotFoundException", "", /^There is no service "web" in the ECS cluster "prod"/],
    ["ServiceNotActiveException", "", /^The service "web" in cluster "prod" is not active/],
    ["RepositoryNotFoundException", "", /^There is no ECR repository "web" in eu-north-1/],
    ["ImageNotFoundException", "", /^The image is not in the ECR repository "web"/],
    ["UpdateInProgressException", "", /^ECS is still working on an earlier update/],
    ["ThrottlingException", "Rate exceeded", /^AWS is throttling the calls.*run the same command again/s],
    [
      "InvalidParameterException",
      "Bad subnet",
      /^AWS refused a request about the service "web" \(InvalidParameterException\)\.\nBad subnet/,
    ],
  ])("%s %s", (name, text, expected) => {
    expect(message(name, text)).toMatch(expected)
  })

  it("says how often it was throttled", () => {
    expect(message("X", "", { $metadata: { httpStatusCode: 429, attempts: 8 } })).toContain(
      "it refused 8 times in a row",
    )
  })

  it("distinguishes AWS's own failure from a refusal", () => {
    expect(message("ServerException", "", { $fault: "server" })).toMatch(
      /^AWS failed to answer about the service "web"/,
    )
  })
})

describe("what is not an answer from AWS", () => {
  it("names the endpoint that does not answer", () => {
    const refused = Object.assign(
      new AggregateError([Object.assign(new Error("x"), { code: "ECONNREFUSED" })], ""),
      {
        code: "ECONNREFUSED",
      },
    )
    const { message: text } = explain(refused, { ...about, endpoint: "http://127.0.0.1:9" }) as Error
    expect(text).toBe(
      "http://127.0.0.1:9 does not answer.\nECONNREFUSED\n→ Check that the endpoint is running and that the address is right.",
    )
  })

  it("names the region if its name has no address", () => {
    const unknown = Object.assign(new Error("getaddrinfo ENOTFOUND ecs.eu-nort-1.amazonaws.com"), {
      code: "ENOTFOUND",
    })
    expect((explain(unknown, { region: "eu-nort-1" }) as Error).message).toMatch(
      /^AWS in eu-nort-1 does not answer/,
    )
  })

  it("is a user error on the wire too", async () => {
    ecs.restore()
    const nowhere = { ...aws, endpoint: "http://127.0.0.1:9" }
    const target = await openService(nowhere, { cluster: "prod", service: "web" })
    await expect(
      explained({ ...about, endpoint: nowhere.endpoint }, () => describeService(target)),
    ).rejects.toThrow(/^http:\/\/127\.0\.0\.1:9 does not answer/)
  })

  it("passes a user error and a bug through unchanged", async () => {
    const own = new UserError("mine")
    const defect = new TypeError("undefined is not a function")
    expect(explain(own, about)).toBe(own)
    expect(explain(defect, about)).toBe(defect)
    await expect(explained(about, () => Promise.reject(defect))).rejects.toBe(defect)
  })
})
