import { execFileSync } from "node:child_process"
import fc from "fast-check"
import { expect, test } from "vitest"
import { EcsRelease } from "../src/index.js"
import type { Settings } from "../src/settings.js"
import { isRefName, validate } from "../src/validate.js"

const settings: Settings = Object.assign(new EcsRelease(), {
  region: "eu-north-1",
  repository: "team/api",
  cluster: "prod",
  service: "web",
})

test.each([
  [{}],
  [{ tagPrefix: "api/", branch: "release/1.x", platform: "linux/arm64" }],
  [{ region: "us-gov-west-1" }],
  [{ region: "eusc-de-east-1", platform: "linux/arm/v7" }],
  [{ cluster: "arn:aws:ecs:eu-north-1:111122223333:cluster/prod", template: "web:3" }],
  [{ buildArgs: ["A=1"], repository: "a_b/c-d.e" }],
  [{ platform: "linux/amd64, linux/arm64", service: "web,worker", container: "app,job" }],
  [{ service: "web,worker", template: "web,worker:2" }],
  [{ roleArn: "arn:aws-us-gov:iam::111122223333:role/ci/release" }],
])("%j is fine", given => expect(() => validate({ ...settings, ...given }, { timeout: 1 })).not.toThrow())

test.each([
  [{ tagPrefix: "-api/" }, {}, /--tag-prefix/],
  [{ tagPrefix: "a b/" }, {}, /--tag-prefix/],
  [{ branch: "refs/../x" }, {}, /--branch/],
  [{ branch: "x.lock" }, {}, /--branch/],
  [{ context: "../other" }, {}, /--context/],
  [{ path: "/etc" }, {}, /--path/],
  [{ dockerfile: "a/../../b" }, {}, /--dockerfile/],
  [{ gitUsername: "x\nhost=evil" }, {}, /--git-username/],
  [{ platform: "arm64" }, {}, /--platform/],
  [{ compression: "lz4" }, {}, /--compression/],
  [{ region: "stockholm" }, {}, /--region/],
  [{ repository: "Team/API" }, {}, /--repository/],
  [{ service: "web;rm" }, {}, /--service/],
  [{ container: "a b" }, {}, /--container/],
  [{ template: "a:b" }, {}, /--template/],
  [{ service: "web,worker", template: "web" }, {}, /--template.*several services/s],
  [{ platform: "linux/amd64,arm64" }, {}, /--platform/],
  [{ roleArn: "release" }, {}, /--role-arn/],
  [{ buildArgs: ["A"] }, {}, /--build-args/],
  [{}, { severity: "bad" }, /severity/],
  [{}, { timeout: 0 }, /--timeout/],
  [{}, { timeout: 1.5 }, /--timeout/],
  [{}, { timeout: 1e9 }, /--timeout/],
])("%j %j is refused, with what it takes", (given, options, message) => {
  const call = () => validate({ ...settings, ...given } as Settings, options)
  expect(call).toThrow(message)
  expect(call).toThrow(/→ /)
})

test("branch names are those that git accepts", () => {
  const git = (name: string) => {
    try {
      execFileSync("git", ["check-ref-format", `refs/heads/${name}`], { stdio: "ignore" })
      // Both would mean something else on a command line.
      return name !== "@" && !name.startsWith("-")
    } catch {
      return false
    }
  }
  const characters = [..."abc/.-@{}~^:?*[\\ _1", ".lock", "..", "@{", "\u007f", "é"]
  const names = fc.array(fc.constantFrom(...characters), { minLength: 1, maxLength: 6 })
  const property = fc.property(names, parts => {
    const name = parts.join("")
    expect(isRefName(name), name).toBe(git(name))
  })
  fc.assert(property, { numRuns: 300 })
})
