import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { App, Validations } from "aws-cdk-lib"
import { Annotations, Match } from "aws-cdk-lib/assertions"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import type { Config } from "../config.js"
import { changed } from "../lib/settings.js"
import { ReleaseStack } from "../lib/stack.js"
import { complete } from "./variants.js"

// The check of the whole template, which takes seconds and is nag.test.ts's.
beforeAll(() => vi.stubEnv("CDK_VALIDATION", "false"))
const outdir = mkdtempSync(join(tmpdir(), "warnings-"))
afterAll(() => rmSync(outdir, { recursive: true, force: true }))

describe("plain HTTP that is open to the world", () => {
  const warnings = (config: Config, prepare = (_: ReleaseStack) => {}) => {
    const stack = new ReleaseStack(new App({ analyticsReporting: false, outdir }), config)
    prepare(stack)
    const found = Annotations.fromStack(stack).findWarning("*", Match.stringLikeRegexp("HTTP"))
    return found.map(({ entry }) => entry.data)
  }
  const open = ['access.allowedCidrs=["192.0.2.0/24","0.0.0.0/0"]']
  const certificate =
    "access.certificateArn=arn:aws:acm:eu-north-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"

  it.each([
    ["as it comes", []],
    ["among other ranges", open],
    ["by IPv6", ['access.allowedCidrs=["::/0"]']],
  ])("warns, and says what to set: %s", (_, settings) => {
    expect(warnings(changed(complete, settings))).toEqual([
      expect.stringMatching(
        /access\.certificateArn.*access\.domain.*access\.allowedCidrs.*ack: ecs-release:plain-http/s,
      ),
    ])
  })

  it.each([
    ["with a certificate", [...open, certificate]],
    [
      "with a domain",
      ['access.domain={"name":"a.example.org","zoneName":"example.org","hostedZoneId":"Z1"}'],
    ],
    ["for known ranges only", ['access.allowedCidrs=["192.0.2.0/24","2001:db8::/32"]']],
    ["on private addresses only", ["access.internal=true"]],
  ])("does not warn %s", (_, settings) => {
    expect(warnings(changed(complete, settings))).toEqual([])
  })

  it("does not warn if somebody said why", () => {
    const reason = { id: "ecs-release:plain-http", reason: "A demonstration, with nothing to protect." }
    expect(warnings(complete, stack => Validations.of(stack).acknowledge(reason))).toEqual([])
  })
})
