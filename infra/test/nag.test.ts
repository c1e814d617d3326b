import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { App, Validations } from "aws-cdk-lib"
import { Bucket } from "aws-cdk-lib/aws-s3"
import { AwsSolutionsChecks } from "cdk-nag"
import { afterAll, expect, it } from "vitest"
import type { Config } from "../config.js"
import { changed } from "../lib/settings.js"
import { ReleaseStack } from "../lib/stack.js"
import { complete, variants } from "./variants.js"

const outdir = mkdtempSync(join(tmpdir(), "nag-"))
afterAll(() => rmSync(outdir, { recursive: true, force: true }))

type Report = { pluginReports: { violations: { ruleName: string }[] }[] }

/** The rules of cdk-nag, and of the CDK's own check of templates, that the stack breaks and does not acknowledge. */
function findings(config: Config, prepare = (_: ReleaseStack) => {}): string[] {
  const app = new App({ analyticsReporting: false, outdir })
  prepare(new ReleaseStack(app, config))
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  try {
    app.synth()
  } catch (error) {
    if ((error as Error).name !== "ValidationFailed") throw error
  }
  const report: Report = JSON.parse(readFileSync(join(outdir, "validation-report.json"), "utf8"))
  return report.pluginReports.flatMap(({ violations }) => violations.map(({ ruleName }) => ruleName))
}

it.each(Object.keys(variants))("finds nothing without a reason: %s", name => {
  expect(findings(variants[name] ?? complete)).toEqual([])
})

it("reports a finding without a reason", () => {
  const found = findings(complete, stack => new Bucket(stack, "Open"))
  expect(found).toEqual(["AwsSolutions-S1", "AwsSolutions-S10"])
})

it("says in the template's region that a fleet of build machines is not available there", {
  timeout: 60_000,
}, () => {
  const fleet = changed(complete, ['build.fleet={"machines":1,"computeType":"BUILD_GENERAL1_SMALL"}'])
  expect(findings(fleet)).toEqual(["F3006"])
  expect(findings({ ...fleet, region: "eu-central-1" })).toEqual([])
})
