import { readFileSync } from "node:fs"
import { join } from "node:path"
import { XMLParser, XMLValidator } from "fast-xml-parser"
import { BuildError } from "./errors.js"

/** How a report group's test cases ended. */
export interface ReportCounts {
  succeeded: number
  failed: number
  error: number
  skipped: number
}

/**
 * Counts the test cases of JUnit XML files: what CodeBuild shows of a report. Suites may be nested.
 *
 * @throws BuildError for a file that is no JUnit XML
 */
export function countCases(folder: string, files: string[]): ReportCounts {
  const counts: ReportCounts = { succeeded: 0, failed: 0, error: 0, skipped: 0 }
  for (const file of files) {
    const xml = readFileSync(join(folder, file), "utf8")
    if (XMLValidator.validate(xml) !== true) throw new BuildError(`report file ${file} is no XML`)
    const root = new XMLParser({ alwaysCreateTextNode: true }).parse(xml) as Node
    if (!("testsuites" in root) && !("testsuite" in root))
      throw new BuildError(`report file ${file} is no JUnit XML`)
    for (const one of cases(root)) counts[outcome(one)]++
  }
  return counts
}

/** The counts as one line. */
export function countsText({ succeeded, failed, error, skipped }: ReportCounts): string {
  const total = succeeded + failed + error + skipped
  return `${total} test cases: ${succeeded} succeeded, ${failed} failed, ${error} in error, ${skipped} skipped`
}

type Node = { [name: string]: unknown }

function cases(node: Node): Node[] {
  const nested = ["testsuites", "testsuite"].flatMap(name => nodes(node[name]).flatMap(cases))
  return [...nested, ...nodes(node.testcase)]
}

function nodes(value: unknown): Node[] {
  return (Array.isArray(value) ? value : [value]).filter(one => typeof one === "object" && one !== null)
}

function outcome(testcase: Node): keyof ReportCounts {
  if ("error" in testcase) return "error"
  if ("failure" in testcase) return "failed"
  return "skipped" in testcase ? "skipped" : "succeeded"
}
