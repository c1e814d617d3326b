import {
  DescribeImageScanFindingsCommand,
  type DescribeImageScanFindingsCommandOutput,
  StartImageScanCommand,
} from "@aws-sdk/client-ecr"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { atOrAbove, decideScan, parseSeverity, scanGate } from "../../src/ecr/scan.js"
import { aws, ecr, failure, play, rejection, service, settle } from "../ecs/mock.js"

let lines: string[]
const gate = (severity = "HIGH") =>
  scanGate(aws, {
    repository: "web",
    digest: "sha256:a",
    severity,
    timeoutSeconds: 60,
    print: line => {
      lines.push(line)
    },
  })
type Answer = Partial<DescribeImageScanFindingsCommandOutput>
const basic = (
  status: "COMPLETE" | "IN_PROGRESS" | "FAILED",
  ...severities: ("HIGH" | "MEDIUM" | "LOW")[]
): Answer => ({
  imageScanStatus: { status },
  imageScanFindings: {
    findings: severities.map((severity, at) => ({
      name: `CVE-${at}`,
      severity,
      uri: "https://example.com",
      attributes: [
        { key: "package_name", value: "openssl" },
        { key: "package_version", value: "1.1" },
      ],
    })),
  },
})

beforeEach(() => {
  lines = []
  play({ before: service([]), definitions: [] })
})
afterEach(() => {
  vi.useRealTimers()
})

it("waits for the scan and passes an image that has nothing that bad", async () => {
  ecr
    .on(DescribeImageScanFindingsCommand)
    .rejectsOnce(failure("ScanNotFoundException", "not yet"))
    .resolvesOnce(basic("IN_PROGRESS"))
    .resolvesOnce(basic("IN_PROGRESS"))
    .resolves(basic("COMPLETE", "MEDIUM", "LOW"))
  await settle(gate())
  expect(lines).toEqual([
    "waiting for ECR's scan of web (not begun)",
    "waiting for ECR's scan of web (IN_PROGRESS)",
    "scan: nothing at or above HIGH (2 findings in all)",
  ])
})

it("refuses and lists the findings, over all pages", async () => {
  ecr
    .on(DescribeImageScanFindingsCommand, { nextToken: undefined })
    .resolves({ ...basic("COMPLETE", "LOW", "HIGH"), nextToken: "more" })
    .on(DescribeImageScanFindingsCommand, { nextToken: "more" })
    .resolves(basic("COMPLETE", "HIGH"))
  const { message } = await rejection(gate())
  expect(message.split("\n")).toEqual([
    "The image has 2 findings at or above HIGH: it is not deployed.",
    expect.stringMatching(/^HIGH +CVE-0 +openssl 1\.1 +https:/),
    expect.stringMatching(/^HIGH +CVE-1 +openssl 1\.1 +https:/),
    expect.stringMatching(/^→ Update the base image/),
  ])
})

it("reads the findings of enhanced scanning", async () => {
  ecr.on(DescribeImageScanFindingsCommand).resolves({
    imageScanStatus: { status: "ACTIVE" },
    imageScanFindings: {
      enhancedFindings: [
        {
          severity: "CRITICAL",
          packageVulnerabilityDetails: {
            vulnerabilityId: "CVE-2025-1",
            vulnerablePackages: [{ name: "zlib", version: "1.2", fixedInVersion: "1.3" }],
          },
        },
        { severity: "UNTRIAGED", title: "unknown" },
      ],
    },
  })
  expect((await rejection(gate("CRITICAL"))).message).toMatch(
    /1 finding at.*\nCRITICAL +CVE-2025-1 +zlib 1\.2 +fixed in 1\.3/,
  )
})

it("does not take what Inspector has not rated for worse than critical", async () => {
  ecr.on(DescribeImageScanFindingsCommand).resolves({
    imageScanStatus: { status: "ACTIVE" },
    imageScanFindings: {
      enhancedFindings: [{ severity: "UNTRIAGED", title: "unknown" }],
      findingSeverityCounts: { UNTRIAGED: 3 } as Record<string, number>,
    },
  })
  await settle(gate("CRITICAL"))
  expect((await rejection(gate("UNDEFINED"))).message).toMatch(/2 findings.*\nUNDEFINED +2 more/)
})

describe("if ECR has no scan of the image", () => {
  const none = failure("ScanNotFoundException", "none")

  it("starts one, once, and waits for it", async () => {
    ecr.on(DescribeImageScanFindingsCommand).rejects(none)
    ecr.on(StartImageScanCommand).callsFake(() => {
      ecr
        .on(DescribeImageScanFindingsCommand)
        .rejectsOnce(none)
        .resolvesOnce(basic("IN_PROGRESS"))
        .resolves(basic("COMPLETE", "HIGH"))
      return {}
    })
    expect((await rejection(gate())).message).toMatch(/^The image has 1 finding at or above HIGH/)
    expect(ecr.commandCalls(StartImageScanCommand).map(call => call.args[0].input)).toEqual([
      { repositoryName: "web", imageId: { imageDigest: "sha256:a" } },
    ])
    expect(lines).toContain("started a scan: web does not scan by itself")
  })

  it("waits for enhanced scanning, which begins by itself", async () => {
    let looks = 0
    ecr.on(DescribeImageScanFindingsCommand).callsFake(() => {
      looks += 1
      if (looks < 12) throw none
      return { ...basic("COMPLETE", "HIGH"), imageScanStatus: { status: "ACTIVE" } }
    })
    ecr.on(StartImageScanCommand).rejects(failure("ValidationException", "This feature is disabled"))
    expect((await rejection(gate())).message).toMatch(/^The image has 1 finding at or above HIGH/)
  })

  it.each([
    ["ValidationException", "This feature is disabled"],
    ["AccessDeniedException", "not authorized to perform: ecr:StartImageScan"],
    ["LimitExceededException", "The scan quota per image has been exceeded"],
    ["UnsupportedImageTypeException", "not a supported image"],
  ])("refuses the image if none starts (%s), and says how to turn scanning on", async (name, why) => {
    ecr.on(DescribeImageScanFindingsCommand).rejects(none)
    ecr.on(StartImageScanCommand).rejects(failure(name, why))
    const { message } = await rejection(gate())
    expect(message.split("\n")).toEqual([
      "ECR has no scan of the image in web, and did not start one: it is not deployed.",
      why,
      expect.stringMatching(/aws ecr put-registry-scanning-configuration .*"filter":"web".*start-image-scan/),
    ])
  })

  it("refuses the image if the scan that was started never shows up", async () => {
    ecr.on(DescribeImageScanFindingsCommand).rejects(none)
    expect((await rejection(gate())).message).toMatch(/^ECR's scan is not done after 60 s \(not begun\)/)
    expect(ecr.commandCalls(StartImageScanCommand)).toHaveLength(1)
  })
})

it("refuses what a scan cannot judge", async () => {
  ecr
    .on(DescribeImageScanFindingsCommand)
    .resolves({ imageScanStatus: { status: "FAILED", description: "internal" } })
  expect((await rejection(gate())).message).toMatch(
    /^ECR's scan has no usable result for the image: FAILED\. It is not deployed\.\ninternal/,
  )
})

it("does not wait forever", async () => {
  ecr.on(DescribeImageScanFindingsCommand).resolves({ imageScanStatus: { status: "PENDING" } })
  expect((await rejection(gate())).message).toMatch(/^ECR's scan is not done after 60 s \(PENDING\)/)
})

describe("severities", () => {
  const findings = ["LOW", "CRITICAL", "UNDEFINED", "HIGH"].map(severity => ({ name: severity, severity }))

  it("are ordered from CRITICAL to UNDEFINED", () => {
    expect(atOrAbove(findings, "HIGH").map(it => it.severity)).toEqual(["CRITICAL", "HIGH"])
    expect(atOrAbove(findings, "UNDEFINED")).toHaveLength(4)
  })

  it("that are unknown count as the worst", () => {
    expect(atOrAbove([{ name: "new", severity: "CATASTROPHIC" }, ...findings], "CRITICAL")[0]?.name).toBe(
      "new",
    )
  })

  it("are taken in any case, and others refused", async () => {
    expect(parseSeverity("high")).toBe("HIGH")
    expect(() => parseSeverity("severe")).toThrow(
      /^"severe" is not a severity\.\n→ It must be one of CRITICAL, HIGH/,
    )
    await expect(gate("severe")).rejects.toThrow("not a severity")
  })

  it("decide only a complete scan", () => {
    expect(decideScan({ status: "IN_PROGRESS", findings }, "HIGH")).toBe("wait")
    expect(decideScan({ status: "ACTIVE", findings }, "HIGH")).toBe("refuse")
    expect(decideScan({ status: "COMPLETE", findings: [] }, "HIGH")).toBe("pass")
    const others = [
      "UNSUPPORTED_IMAGE",
      "FAILED",
      "SCAN_ELIGIBILITY_EXPIRED",
      "FINDINGS_UNAVAILABLE",
      "ODD",
      "",
    ]
    for (const status of others) expect(decideScan({ status, findings: [] }, "HIGH")).toBe("unknown")
  })
})
