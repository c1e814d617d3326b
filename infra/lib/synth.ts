import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { App } from "aws-cdk-lib"
import type { Config } from "../config.js"
import { ReleaseStack } from "./stack.js"

/** A CloudFormation template, as far as this project looks into one. */
export type Template = {
  Resources: Record<string, Resource>
  Outputs?: Record<string, { Value: unknown }>
  [section: string]: unknown
}

export type Resource = { Type: string; Properties?: Record<string, unknown>; [attribute: string]: unknown }

/** The stack's template: what `cdk synth` writes, without the CDK's command line, an account or the network. */
export function synthesize(config: Config): Template {
  return JSON.parse(synthesizedText(config))
}

/** The same as the text that goes to CloudFormation. */
export function synthesizedText(config: Config): string {
  // Three quarters of the time would be the CDK's own check of the template, which `cdk synth` and cfn-lint do as well.
  process.env.CDK_VALIDATION = "false"
  const outdir = mkdtempSync(join(tmpdir(), "infra-"))
  try {
    const app = new App({ analyticsReporting: false, outdir })
    const { stackName } = new ReleaseStack(app, config)
    return readFileSync(app.synth().getStackByName(stackName).templateFullPath, "utf8")
  } finally {
    rmSync(outdir, { recursive: true, force: true })
  }
}
