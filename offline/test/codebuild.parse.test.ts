import { expect, test } from "vitest"
import { config } from "../../infra/config.js"
import type { WebhookEvent } from "../buildspec/event.js"
import { buildLog } from "../buildspec/log.js"
import { infraProjects, projectFor, starts } from "../buildspec/project.js"
import { parseBuildspec } from "../buildspec/spec.js"
import { BUILDSPEC } from "./codebuild.help.js"

const build = "phases: {build: {commands: [true]}}"

test.each([
  ["version: 0.1\nphases: {}", "version: this runner supports only version 0.2"],
  ["phases: {build: {commands: [true]}}", "version: Invalid input: expected string, received undefined"],
  [`version: 0.2\n${build}\nphase: {}`, "buildspec.phase is not supported here"],
  ["version: 0.2\nphases: {deploy: {commands: [true]}}", "phases.deploy is not supported here"],
  ["version: 0.2\nphases: {build: {command: [true]}}", "phases.build.command is not supported here"],
  [
    "version: 0.2\nphases: {build: {finally: [true]}}",
    "phases.build.commands: Invalid input: expected array",
  ],
  ["version: 0.2\nphases: {build: {commands: []}}", "phases.build.commands: Too small"],
  ["version: 0.2\nphases: {}", "phases: has none of install, pre_build"],
  ["version: 0.2", "phases: Invalid input: expected object, received undefined"],
  ["version: 0.2\nphases: {build: {commands: [{a: b}]}}", "phases.build.commands.0: Invalid input"],
  [`version: 0.2\nartifacts: {files: [x]}\n${build}`, "buildspec.artifacts is not supported here"],
  [`version: 0.2\nenv: {secrets-manager: {A: b}}\n${build}`, "env.secrets-manager is not supported here"],
  [`version: 0.2\nenv: {shell: fish}\n${build}`, "env.shell: Invalid option"],
  [
    `version: 0.2\nenv: {variables: {CODEBUILD_X: y}}\n${build}`,
    "env.variables.CODEBUILD_X: this name is reserved for CodeBuild",
  ],
  [`version: 0.2\nenv: {variables: {a-b: y}}\n${build}`, "env.variables.a-b: this is not a valid"],
  [`version: 0.2\nenv: {exported-variables: [AWS_REGION]}\n${build}`, "can't be exported"],
  [`version: 0.2\nenv: {exported-variables: ["$(x)"]}\n${build}`, "this is not a valid variable name"],
  [`version: 0.2\n${build}\nreports: {r: {files: [x], file-format: NUNITXML}}`, 'expected "JUNITXML"'],
  [`version: 0.2\n${build}\nreports: {r: {base-directory: x}}`, "reports.r.files: Invalid input"],
  ["version: 0.2\nphases: [", "not YAML"],
])("refuses %j", (text, message) => {
  expect(() => parseBuildspec(text)).toThrow(message)
})

test("the project's buildspec is one that it supports", () => {
  const spec = parseBuildspec(BUILDSPEC)
  expect(Object.keys(spec.phases)).toEqual(["install", "pre_build", "build", "post_build"])
  expect(spec.env["exported-variables"]).toEqual(["VERSION", "IMAGE"])
})

test("secrets are masked even if a chunk ends in one", () => {
  let text = ""
  const log = buildLog(some => {
    text += some
  })
  log.mask(["s3cret", ""])
  log.output(Buffer.from("it is s3c"))
  log.output(Buffer.from("ret\nand s3cret"))
  log.say("end")
  expect(text).toMatch(
    /^it is \*\*\*\nand \*\*\*\n\[Container\] \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{3} end\n$/,
  )
})

const event = (type: WebhookEvent["type"], headRef: string, baseRef?: string): WebhookEvent => ({
  type,
  headRef,
  baseRef,
  commit: "c0ffee",
})
const [main, other] = ["refs/heads/main", "refs/heads/other"]

test("a filter group matches if all its filters do", () => {
  const filter = (type: string, pattern: string, exclude = false) => ({
    Type: type,
    Pattern: pattern,
    ExcludeMatchedPattern: exclude,
  })
  const groups = [
    [filter("EVENT", "PUSH, PULL_REQUEST_CREATED"), filter("HEAD_REF", "^refs/heads/main$", true)],
  ]
  expect(starts(event("PUSH", other), groups)).toBe(true)
  expect(starts(event("PUSH", main), groups)).toBe(false)
  expect(starts(event("PUSH", main), [])).toBe(false)
  expect(() => starts(event("PUSH", main), [[filter("FILE_PATH", "x")]])).toThrow(
    "FILE_PATH is not supported",
  )
})

test("infra's projects: a push to main releases with the token, a pull request has a project without it", () => {
  const projects = infraProjects()
  const release = projectFor(event("PUSH", main), projects)
  const test = projectFor(event("PULL_REQUEST_CREATED", other, main), projects)
  expect(release.variables).toEqual([
    { name: "GITHUB_TOKEN", secret: true, value: config.source.gitTokenSecret },
  ])
  expect(test.variables).toEqual([])
  for (const { privileged, cloneDepth, buildspec } of [release, test]) {
    expect({ privileged, cloneDepth, buildspec }).toEqual({
      privileged: true,
      cloneDepth: 0,
      buildspec: "buildspec.yml",
    })
  }
  expect(() => projectFor(event("PUSH", other), projects)).toThrow("No build starts")
})
