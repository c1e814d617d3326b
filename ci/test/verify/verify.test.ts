import { describe, expect, it } from "vitest"
import { assertCompression } from "../../src/ecs/service.js"
import { type Check, countOf, refuseWrong, writeChecks } from "../../src/verify/check.js"
import { trusts } from "../../src/verify/role.js"

const service = "ecs-tasks.amazonaws.com"
const policy = (statement: object) => JSON.stringify({ Statement: statement })
const allow = { Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: service } }

describe("a trust policy", () => {
  it.each([
    ["one statement", policy(allow)],
    ["as IAM returns it", encodeURIComponent(policy([allow]))],
    [
      "among others",
      policy([
        { ...allow, Principal: { AWS: "*" } },
        { ...allow, Principal: { Service: ["ec2.amazonaws.com", service] } },
      ]),
    ],
    ["in any case, with wildcards", policy({ ...allow, Action: ["sts:TagSession", "STS:assume*"] })],
    ["everything", policy({ ...allow, Action: "*" })],
  ])("lets ECS in: %s", (_, text) => {
    expect(trusts(text, service)).toBe(true)
  })

  it.each([
    ["another service", policy({ ...allow, Principal: { Service: "ec2.amazonaws.com" } })],
    ["another action", policy({ ...allow, Action: "sts:AssumeRoleWithSAML" })],
    ["a denial", policy({ ...allow, Effect: "Deny" })],
    ["a longer action that only begins like it", policy({ ...allow, Action: "sts:AssumeRoleX" })],
    ["no policy", ""],
    ["no JSON", "{"],
  ])("does not: %s", (_, text) => {
    expect(trusts(text, service)).toBe(false)
  })
})

describe("zstd", () => {
  it("is refused on a Fargate that cannot unpack it", () => {
    const old = { launchType: "FARGATE" as const, platformVersion: "1.3.0" }
    expect(() => assertCompression(old, "zstd")).toThrow(/1\.3\.0, which cannot unpack zstd[\s\S]*→ .*LATEST/)
    expect(assertCompression(old, "gzip")).toBeUndefined()
    expect(assertCompression(old, "")).toBeUndefined()
  })

  it("is accepted on current Fargate; on instances it depends on them", () => {
    expect(assertCompression({ launchType: "FARGATE", platformVersion: "1.4.0" }, "zstd")).toBeUndefined()
    expect(assertCompression({ launchType: "FARGATE" }, "zstd")).toBeUndefined()
    expect(assertCompression({ platformVersion: "LATEST" }, "zstd")).toBeUndefined()
    expect(assertCompression({ launchType: "EC2" }, "zstd")).toMatch(/Docker 23/)
  })
})

describe("checks", () => {
  const checks: Check[] = [
    { name: "service", result: "ok", text: "prod/web", blocks: true },
    { name: "rollback", result: "wrong", text: "Nothing rolls back.\n→ Set it.", blocks: false },
    { name: "quota", result: "cannot tell", text: "servicequotas:GetServiceQuota is missing", blocks: false },
  ]

  it("are a line each, with what is wrong below", () => {
    expect(writeChecks(checks)).toBe(
      [
        "✔ service: prod/web",
        "✘ rollback: wrong: Nothing rolls back.",
        "    → Set it.",
        "? quota: cannot tell: servicequotas:GetServiceQuota is missing",
        "",
        "1 ok, 1 wrong, 1 cannot tell",
        "",
      ].join("\n"),
    )
    expect(countOf(checks.slice(0, 1))).toBe("1 ok")
  })

  it("stop a release only if a deployment would fail because of them", () => {
    expect(() => refuseWrong(checks)).not.toThrow()
    const broken: Check = { name: "task role", result: "wrong", text: "There is no role x.", blocks: true }
    expect(() => refuseWrong([...checks, broken])).toThrow(
      /^The deployment would fail: task role\.\ntask role: There is no role x\.\n→ Nothing was claimed or pushed/,
    )
  })
})
