import { type Aws, ecr, pages } from "../aws/clients.js"
import { explained, passing } from "../aws/errors.js"
import type { DescribeImageScanFindingsResponse, ECR } from "../aws/types.js"
import { UserError } from "../lib/errors.js"
import { table } from "../lib/table.js"

/** Severities, the worst first (ECR API reference, `ImageScanFinding`). */
export const severities = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED"]

/** A vulnerability found by ECR's basic scanning or Inspector's enhanced scanning. */
export type Finding = { name: string; severity: string; package?: string; fix?: string; uri?: string }

/** One answer about a scan, over all its pages. */
export type Scan = { status: string; description?: string; findings: Finding[] }

/** What to do after reading a scan once. */
export type ScanVerdict = "wait" | "pass" | "refuse" | "unknown"

export type ScanOptions = {
  /** Name of the ECR repository. */
  repository: string
  digest: string
  /** The lowest severity that is refused. */
  severity: string
  timeoutSeconds?: number
  print?: (line: string) => void
}

/** Seconds that a repository has to start a scan before it counts as one that does not scan. */
const begin = 20
const interval = 3

/** Reads a severity that a user gave, in any case. */
export function parseSeverity(text: string): string {
  const severity = text.toUpperCase()
  if (severities.includes(severity)) return severity
  throw new UserError(`"${text}" is not a severity.`, "", `It must be one of ${severities.join(", ")}.`)
}

/** The findings at or above a severity, the worst first. Pure. */
export function atOrAbove(findings: Finding[], severity: string): Finding[] {
  // An unknown severity comes first: nobody knows what it means.
  const rank = (it: string) => severities.indexOf(it)
  return findings
    .filter(it => rank(it.severity) <= rank(severity))
    .sort((a, b) => rank(a.severity) - rank(b.severity) || (a.name < b.name ? -1 : 1))
}

/** Decides what to do. ACTIVE is what enhanced scanning calls COMPLETE. Pure. */
export function decideScan({ status, findings }: Scan, severity: string): ScanVerdict {
  if (status === "IN_PROGRESS" || status === "PENDING") return "wait"
  if (status !== "COMPLETE" && status !== "ACTIVE") return "unknown"
  return atOrAbove(findings, severity).length > 0 ? "refuse" : "pass"
}

/**
 * Waits for ECR's scan of an image and refuses the image if the scan found something at or above a severity, or if there is no
 * clean scan: it failed, cannot judge this image, is not done in time, or does not exist.
 * If the repository did not start a scan by itself, this starts one.
 *
 * @throws UserError with the findings, or with how to get a scan
 */
export async function scanGate(aws: Aws, options: ScanOptions): Promise<void> {
  const { repository, digest, timeoutSeconds = 300, print = console.log } = options
  const severity = parseSeverity(options.severity)
  await explained({ ...aws, repository }, async () => {
    const client = await ecr(aws)
    const start = Date.now()
    const elapsed = () => (Date.now() - start) / 1000
    let said = ""
    /** Why a scan could not be started; "" if it was started; undefined if that was not tried yet. */
    let unstarted: string | undefined
    for (;;) {
      const scan = await readScan(client, repository, digest)
      if (scan === undefined && unstarted === undefined && elapsed() >= begin) {
        unstarted = await startScan(client, repository, digest)
        if (unstarted === "") print(`started a scan: ${repository} does not scan by itself`)
      }
      const step = scan === undefined ? "wait" : decideScan(scan, severity)
      if (step === "pass") {
        print(`scan: nothing at or above ${severity} (${scan?.findings.length} findings in all)`)
        return
      }
      if (scan && step !== "wait") throw step === "refuse" ? refused(scan, severity) : unjudged(scan)
      const now = `waiting for ECR's scan of ${repository} (${scan?.status ?? "not begun"})`
      if (now !== said) print(now)
      said = now
      if (elapsed() >= timeoutSeconds) {
        throw scan === undefined && unstarted
          ? unscanned(repository, digest, unstarted)
          : late(timeoutSeconds, scan)
      }
      await new Promise(resolve => setTimeout(resolve, interval * 1000))
    }
  })
}

/**
 * Starts a scan, which basic scanning allows (`ecr:StartImageScan`).
 *
 * @returns "", or why it was not started if one may still start by itself: with enhanced scanning, scans cannot be requested
 * @throws UserError if no scan can begin
 */
async function startScan(client: ECR, repository: string, digest: string): Promise<string> {
  const input = { repositoryName: repository, imageId: { imageDigest: digest } }
  try {
    await client.startImageScan(input)
    return ""
  } catch (error) {
    if (passing(error)) throw error
    if ((error as Error).name === "ValidationException") return (error as Error).message
    throw unscanned(repository, digest, (error as Error).message)
  }
}

async function readScan(client: ECR, repository: string, digest: string): Promise<Scan | undefined> {
  const input = { repositoryName: repository, imageId: { imageDigest: digest }, maxResults: 1000 }
  try {
    const read = (nextToken?: string) => client.describeImageScanFindings({ ...input, nextToken })
    const findings: Finding[] = []
    let last: DescribeImageScanFindingsResponse["imageScanStatus"]
    let counts: Record<string, number> | undefined
    for await (const page of pages(read)) {
      findings.push(...readFindings(page))
      last = page.imageScanStatus
      const found = page.imageScanFindings
      if (found) counts = { ...counts, ...found.findingSeverityCounts }
    }
    if (counts === undefined && /^(COMPLETE|ACTIVE)$/.test(last?.status ?? "")) {
      return { status: `${last?.status} without findings`, findings }
    }
    for (const [named, count] of Object.entries(counts ?? {})) {
      const severity = severityOf(named)
      const listed = findings.filter(it => it.severity === severity).length
      if (count > listed) findings.push({ name: `${count - listed} more`, severity })
    }
    return { status: last?.status ?? "", description: last?.description, findings }
  } catch (error) {
    if ((error as Error).name === "ScanNotFoundException") return undefined
    throw error
  }
}

/** Inspector's UNTRIAGED is ECR's UNDEFINED, in findings and in counts. */
function severityOf(named = "UNDEFINED"): string {
  return named === "UNTRIAGED" ? "UNDEFINED" : named
}

function readFindings({ imageScanFindings }: DescribeImageScanFindingsResponse): Finding[] {
  const basic = (imageScanFindings?.findings ?? []).map(
    ({ name = "?", severity = "UNDEFINED", uri, attributes = [] }) => {
      const attribute = (key: string) => attributes.find(it => it.key === key)?.value
      const parts = [attribute("package_name"), attribute("package_version")].filter(Boolean)
      return { name, severity, package: parts.join(" ") || undefined, uri }
    },
  )
  const enhanced = (imageScanFindings?.enhancedFindings ?? []).map(it => {
    const details = it.packageVulnerabilityDetails
    const [found] = details?.vulnerablePackages ?? []
    return {
      name: details?.vulnerabilityId ?? it.title ?? "?",
      severity: severityOf(it.severity),
      package: found && [found.name, found.version].filter(Boolean).join(" "),
      fix: found?.fixedInVersion,
      uri: details?.sourceUrl,
    }
  })
  return [...basic, ...enhanced]
}

function refused({ findings }: Scan, severity: string): UserError {
  const bad = atOrAbove(findings, severity)
  const rows = bad
    .slice(0, 20)
    .map(it => [it.severity, it.name, it.package ?? "", it.fix ? `fixed in ${it.fix}` : "", it.uri ?? ""])
  const more = bad.length > 20 ? `\n… and ${bad.length - 20} more` : ""
  return new UserError(
    `The image has ${bad.length} finding${bad.length === 1 ? "" : "s"} at or above ${severity}: it is not deployed.`,
    table(rows) + more,
    "Update the base image or the packages and release again, or choose another severity.",
  )
}

function unscanned(repository: string, digest: string, why: string): UserError {
  return new UserError(
    `ECR has no scan of the image in ${repository}, and did not start one: it is not deployed.`,
    why,
    [
      "Turn on scan on push: aws ecr put-registry-scanning-configuration --scan-type BASIC --rules",
      `'[{"scanFrequency":"SCAN_ON_PUSH","repositoryFilters":[{"filter":"${repository}","filterType":"WILDCARD"}]}]'`,
      `(this replaces the registry's rules). Scan this image: aws ecr start-image-scan --repository-name ${repository}`,
      `--image-id imageDigest=${digest}. Then run the same command again. Without --severity no scan is needed.`,
    ].join(" "),
  )
}

function unjudged({ status, description }: Scan): UserError {
  return new UserError(
    `ECR's scan has no usable result for the image: ${status || "no status"}. It is not deployed.`,
    description,
    "Start another scan in the ECR console, or leave --severity out for this image: then no scan is needed.",
  )
}

function late(seconds: number, scan: Scan | undefined): UserError {
  return new UserError(
    `ECR's scan is not done after ${seconds} s (${scan?.status ?? "not begun"}).`,
    "",
    "Run the same command again later: it waits for the same scan.",
  )
}
