import { expect, test } from "vitest"
import { parseBuildspec } from "../buildspec/buildspec.js"
import { starts, type WebhookEvent } from "../buildspec/event.js"
import { buildLog } from "../buildspec/log.js"
import { infraProjects, projectFor } from "../buildspec/project.js"
import { secretValue } from "../buildspec/secrets.js"
import { BUILDSPEC } from "./codebuild.help.js"

const build = "phases: {build: {commands: [true]}}"

test.each([
  ["version: 0.1\nphases: {}", "version is 0.1"],
  ["phases: {build: {commands: [true]}}", "version is undefined"],
  [`version: 0.2\n${build}\nphase: {}`, "buildspec.phase is unknown"],
  ["version: 0.2\nphases: {deploy: {commands: [true]}}", "phases.deploy is unknown"],
  ["version: 0.2\nphases: {build: {command: [true]}}", "phases.build.command is unknown"],
  ["version: 0.2\nphases: {build: {finally: [true]}}", "phases.build.commands is missing"],
  ["version: 0.2\nphases: {}", "phases holds none"],
  ["version: 0.2\nphases: {build: {commands: [true], on-failure: IGNORE}}", "on-failure is IGNORE"],
  ["version: 0.2\nphases: {build: {commands: [{a: b}]}}", "phases.build.commands[0] is no text"],
  [`version: 0.2\nrun-as: me\n${build}`, "buildspec.run-as is not supported here"],
  [
    "version: 0.2\nphases: {install: {commands: [true], runtime-versions: {nodejs: 20}}}",
    "runtime-versions is not supported",
  ],
  [`version: 0.2\nenv: {parameter-store: {A: b}}\n${build}`, "env.parameter-store is not supported here"],
  [
    `version: 0.2\nenv: {git-credential-helper: yes}\n${build}`,
    "env.git-credential-helper is not supported here",
  ],
  [`version: 0.2\nenv: {shell: fish}\n${build}`, "env.shell is fish"],
  [`version: 0.2\nenv: {variables: {CODEBUILD_X: y}}\n${build}`, "CODEBUILD_X"],
  [`version: 0.2\nenv: {exported-variables: [AWS_REGION]}\n${build}`, "can't be exported"],
  [`version: 0.2\nenv: {secrets-manager: {T: s}, exported-variables: [T]}\n${build}`, "can't be exported"],
  [`version: 0.2\nenv: {exported-variables: ["$(x)"]}\n${build}`, "no name of a variable"],
  [
    `version: 0.2\n${build}\nreports: {r: {files: [x], file-format: NUNITXML}}`,
    "file-format NUNITXML is not supported",
  ],
  [
    `version: 0.2\n${build}\nartifacts: {files: [x], secondary-artifacts: {}}`,
    "secondary-artifacts is not supported",
  ],
  [`version: 0.2\n${build}\nartifacts: {name: x}`, "artifacts.files is missing"],
  ["version: 0.2\nphases: [", "not YAML"],
])("refuses %j", (text, message) => {
  expect(() => parseBuildspec(text)).toThrow(message)
})

test("the project's buildspec is one it knows", () => {
  const spec = parseBuildspec(BUILDSPEC)
  expect(Object.keys(spec.phases)).toEqual(["install", "pre_build", "build", "post_build"])
  expect(spec.exported).toEqual(["VERSION", "IMAGE"])
})

test("a secret's reference may be an ARN, and may name a key", () => {
  const arn = "arn:aws:secretsmanager:eu-north-1:111122223333:secret:hello/git-token-Ab12Cd"
  expect(secretValue(arn, { "hello/git-token": "x" })).toBe("x")
  expect(secretValue(`${arn}:key:AWSCURRENT`, { "hello/git-token": '{"key":"y"}' })).toBe("y")
  expect(() => secretValue("a:b", { a: "{}" })).toThrow("has no key b")
  expect(() => secretValue("a:b", { a: "text" })).toThrow("has no key b")
})

test("secrets are masked also where a chunk ends in one", () => {
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

test("a filter group holds where all its filters do", () => {
  const filter = (type: string, pattern: string, exclude = false) => ({ type, pattern, exclude })
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
  expect(release.variables.map(({ name, type }) => `${name} ${type}`)).toEqual([
    "GITHUB_TOKEN SECRETS_MANAGER",
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
