import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { beginning } from "../machine/process.js"
import { buildOf, states, temporary } from "./codebuild.help.js"

const spec = (phases: string, rest = "") => ({ "buildspec.yml": `version: 0.2\n${rest}phases:\n${phases}` })

test("phases run in their order, one shell for all: folder and variables stay", async () => {
  const built = await buildOf({
    ...spec(`
  post_build:
    commands: echo "post $PLAIN $(pwd)"
  install:
    commands:
      - cd folder
      - PLAIN=kept
      - |
        if true; then
          export SEVERAL="a 'quoted'
        second line"
        fi
  build:
    commands:
      - sh -c 'echo "child has $PLAIN"'
      - echo "$SEVERAL"
`),
    "folder/file": "",
  })
  expect(states(built)).toEqual([
    "DOWNLOAD_SOURCE SUCCEEDED",
    "INSTALL SUCCEEDED",
    "PRE_BUILD SUCCEEDED",
    "BUILD SUCCEEDED",
    "POST_BUILD SUCCEEDED",
    "UPLOAD_ARTIFACTS SUCCEEDED",
  ])
  expect(built.state).toBe("SUCCEEDED")
  expect(built.log).toContain("child has kept")
  expect(built.log).toContain("a 'quoted'\nsecond line")
  expect(built.log).toMatch(/^post kept \S+\/src\/folder$/m)
})

const failing = (phase: string) => `
  install:
    commands: [${phase === "install" ? "exit 3" : "true"}]
    finally: [echo "install finally $CODEBUILD_BUILD_SUCCEEDING"]
  pre_build:
    commands: [${phase === "pre_build" ? "false" : "true"}, echo "second pre_build"]
  build:
    commands: [${phase === "build" ? "cat /nowhere" : "true"}]
    finally: [echo "build finally $CODEBUILD_BUILD_SUCCEEDING"]
  post_build:
    commands: [echo "post_build $CODEBUILD_BUILD_SUCCEEDING", ${phase === "post_build" ? "false" : "true"}]
`

test.each([
  ["install", ["INSTALL FAILED"]],
  ["pre_build", ["INSTALL SUCCEEDED", "PRE_BUILD FAILED"]],
  [
    "build",
    [
      "INSTALL SUCCEEDED",
      "PRE_BUILD SUCCEEDED",
      "BUILD FAILED",
      "POST_BUILD SUCCEEDED",
      "UPLOAD_ARTIFACTS SUCCEEDED",
    ],
  ],
  [
    "post_build",
    [
      "INSTALL SUCCEEDED",
      "PRE_BUILD SUCCEEDED",
      "BUILD SUCCEEDED",
      "POST_BUILD FAILED",
      "UPLOAD_ARTIFACTS SUCCEEDED",
    ],
  ],
])("a failing %s", async (phase, expected) => {
  const built = await buildOf(spec(failing(phase)))
  expect(states(built).slice(1)).toEqual(expected)
  expect(built.state).toBe("FAILED")
})

test("finally runs after a failure, and commands learn whether the build is succeeding", async () => {
  const { log } = await buildOf(spec(failing("build")))
  expect(log).toContain("\ninstall finally 1\n")
  expect(log).toContain("\nbuild finally 0\n")
  expect(log).toContain("\npost_build 0\n")
  expect(log).toContain(
    "Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: cat /nowhere. Reason: exit status 1",
  )
})

test("a failing finally fails its phase, and a failing command skips the rest of its phase", async () => {
  const built = await buildOf(spec("  build: {commands: [true], finally: [false, echo not reached]}\n"))
  expect(states(built)).toContain("BUILD FAILED")
  expect(built.log).not.toContain("not reached\n")
  expect((await buildOf(spec(failing("pre_build")))).log).not.toContain("\nsecond pre_build\n")
})

test("commands get CodeBuild's variables and nothing of this process", async () => {
  process.env.ONLY_HERE = "leaked"
  const built = await buildOf(
    spec("  build: {commands: [env]}\n", "env: {variables: {SHARED: spec, MINE: spec}}\n"),
    { project: { variables: [{ name: "SHARED", secret: false, value: "project" }] } },
  )
  delete process.env.ONLY_HERE
  const names = [...built.log.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name as string)
  expect(built.log).toContain("\nSHARED=project\n")
  expect(built.log).toContain("\nMINE=spec\n")
  expect(names.filter(name => !/^(AWS|CODEBUILD)_/.test(name) && name !== "_").sort()).toEqual(
    ["DOCKER_HOST", "ECS_RELEASE_HOME", "HOME", "MINE", "OLDPWD", "PATH", "PWD", "SHARED"].filter(name =>
      names.includes(name),
    ),
  )
  for (const name of [
    "BUILD_ID",
    "BUILD_NUMBER",
    "RESOLVED_SOURCE_VERSION",
    "SOURCE_VERSION",
    "SOURCE_REPO_URL",
    "SRC_DIR",
    "WEBHOOK_EVENT",
    "WEBHOOK_HEAD_REF",
    "WEBHOOK_TRIGGER",
    "INITIATOR",
    "BUILD_SUCCEEDING",
  ]) {
    expect(names).toContain(`CODEBUILD_${name}`)
  }
  expect(built.log).not.toContain("leaked")
})

test("secrets reach the commands and are masked in the log", async () => {
  const built = await buildOf(spec('  build: {commands: ["echo $TOKEN | wc -c", "echo token=$TOKEN"]}\n'), {
    project: { variables: [{ name: "TOKEN", secret: true, value: "plain" }] },
    secrets: { plain: "0123456789" },
  })
  expect(built.log).toContain("\n11\n")
  expect(built.log).toContain("\ntoken=***\n")
})

test("a secret that is not there fails the build before its first command", async () => {
  const built = await buildOf(spec("  build: {commands: [true]}\n"), { secrets: {} })
  expect(states(built)).toEqual(["DOWNLOAD_SOURCE FAILED"])
  expect(built.phases[0]?.message).toContain("can't find the specified secret: hello/git-token")
})

test("exported variables have the value they end with", async () => {
  const built = await buildOf(
    spec(
      "  install: {commands: [A=first]}\n  build: {commands: ['A=\"last one\"', B=]}\n",
      "env: {exported-variables: [A, B, UNSET]}\n",
    ),
  )
  expect(built.exported).toEqual({ A: "last one" })
})

test.each([
  ["nothing.xml", ".", "no matching report paths found"],
  ["*.xml", "nowhere", "no matching base directory path found for nowhere"],
  ["broken.xml", ".", "is not XML"],
  ["other.xml", ".", "is not JUnit XML"],
])("a report of %s in %s fails the build", async (files, folder, message) => {
  const report = `reports: {unit: {files: ['${files}'], base-directory: ${folder}}}\n`
  const built = await buildOf({
    ...spec("  build: {commands: [true]}\n", report),
    "broken.xml": "<testsuite>",
    "other.xml": "<a/>",
  })
  expect(states(built)).toContain("UPLOAD_ARTIFACTS FAILED")
  expect(built.log).toMatch(`Phase context status code: CLIENT_ERROR Message: `)
  expect(built.log).toContain(message)
})

test("a report's cases are counted, in nested suites too, and its failures do not fail the build", async () => {
  const built = await buildOf({
    ...spec(
      "  build: {commands: [true]}\n",
      "reports: {unit: {files: ['*.xml'], base-directory: reports}}\n",
    ),
    "reports/a.xml": `<testsuites><testsuite><testcase name="1"/><testsuite><testcase name="2"><failure/></testcase></testsuite></testsuite></testsuites>`,
    "reports/b.xml": `<testsuite><testcase name="3"><skipped/></testcase><testcase name="4"><error>x</error></testcase><testcase name="5"/></testsuite>`,
  })
  expect(built.reports).toEqual({ unit: "5 test cases: 2 succeeded, 1 failed, 1 in error, 1 skipped" })
  expect(built.state).toBe("SUCCEEDED")
})

test("a build is ended with all that it started when its time is up", async () => {
  const controller = new AbortController()
  const file = join(temporary(), "pid")
  const timer = setInterval(() => existsSync(file) && controller.abort("TIMED_OUT"), 50)
  const phases = `
  build:
    commands: ["sh -c 'sleep 60 & echo $! > ${file}.new && mv ${file}.new ${file}; wait'"]
    finally: [echo never]
  post_build: {commands: [echo never]}
`
  const built = await buildOf(spec(phases), { signal: controller.signal })
  clearInterval(timer)
  expect(states(built).slice(-1)).toEqual(["BUILD TIMED_OUT"])
  expect(built.state).toBe("TIMED_OUT")
  expect(built.log).not.toContain("\nnever\n")
  const pid = Number(readFileSync(file, "utf8"))
  await expect.poll(() => beginning(pid)).toBeUndefined()
})
