import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, relative, resolve } from "node:path"
import { XMLParser } from "fast-xml-parser"
import picomatch from "picomatch"
import { BuildError } from "./command.js"
import type { ReportGroup } from "./spec.js"

/**
 * Counts the test cases of a report group's JUnit XML files, as one line: what CodeBuild shows for a report. Suites may be
 * nested.
 *
 * @throws BuildError if there is no file or one isn't JUnit XML
 */
export function countCases(group: ReportGroup, source: string): string {
  const folder = resolve(source, group["base-directory"])
  if (!existsSync(folder))
    throw new BuildError(`no matching base directory path found for ${group["base-directory"]}`)
  const patterns = group.files.map(file => file.replace(/^\.\//, ""))
  const matches = picomatch(patterns, { dot: true })
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath ?? entry.path, entry.name))
    .filter(file => matches(relative(folder, file)))
  if (files.length === 0) throw new BuildError("no matching report paths found")
  const all = files.flatMap(casesOf)
  const count = (outcome: string) => all.filter(one => outcomeOf(one) === outcome).length
  return `${all.length} test cases: ${count("succeeded")} succeeded, ${count("failure")} failed, ${count("error")} in error, ${count("skipped")} skipped`
}

type Node = { [name: string]: unknown }

/** Makes every test case an object, in a list. */
const parser = new XMLParser({ alwaysCreateTextNode: true, isArray: name => name === "testcase" })

function casesOf(file: string): Node[] {
  let root: Node
  try {
    root = parser.parse(readFileSync(file, "utf8"), true)
  } catch (error) {
    throw new BuildError(`report file ${file} is not XML: ${(error as Error).message}`)
  }
  if (!("testsuites" in root) && !("testsuite" in root))
    throw new BuildError(`report file ${file} is not JUnit XML`)
  return cases(root)
}

function cases(node: unknown): Node[] {
  if (Array.isArray(node)) return node.flatMap(cases)
  if (typeof node !== "object" || node === null) return []
  return Object.entries(node).flatMap(([name, value]) => (name === "testcase" ? value : cases(value)))
}

function outcomeOf(testcase: Node): string {
  return ["error", "failure", "skipped"].find(outcome => outcome in testcase) ?? "succeeded"
}
