import { cpSync, mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { beforeAll, describe, expect, test } from "vitest"
import { config } from "../../infra/config.js"
import { type BuildResult, startBuild } from "../buildspec/build.js"
import { documentText } from "../buildspec/document.js"
import { eventOf } from "../buildspec/event.js"
import { buildLog } from "../buildspec/log.js"
import { type Live, lookAt, type Rehearsal, rehearse } from "../buildspec/rehearsal.js"
import { git, states, temporaryForAll } from "./codebuild.help.js"

const PROJECT = join(import.meta.dirname, "../..")
const PARTS = [
  "app",
  "ci",
  "dagger.json",
  ".env",
  "ecs-release.yaml",
  ".dockerignore",
  "Dockerfile",
  "buildspec.yml",
  "package-lock.json",
]

/** A repository of what a release needs, as it is in the work tree, with one commit. */
function repository(folder: string): string {
  const files = git(PROJECT, "ls-files", "--cached", "--others", "--exclude-standard", "--", ...PARTS).split(
    "\n",
  )
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(PROJECT, file), join(folder, file))
  }
  git(folder, "init", "--quiet")
  git(folder, "add", "--all")
  git(folder, "commit", "--quiet", "--message", "feat: the service")
  return folder
}

const SUCCEEDED = ["DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS"].map(
  phase => `${phase} SUCCEEDED`,
)

describe("laptop and CodeBuild", () => {
  const folder = temporaryForAll()
  let seen: Rehearsal
  let retry: BuildResult
  let afterRetry: Live
  let pullRequest: BuildResult
  let afterPullRequest: Live
  let secrets: string[]
  let log = ""

  beforeAll(async () => {
    const stateDir = join(folder, "state")
    const common = {
      checkout: PROJECT,
      stateDir,
      log: buildLog(text => {
        log += text
      }),
    }
    seen = await rehearse({
      ...common,
      source: repository(join(folder, "repository")),
      visit: async (world, source) => {
        const { AWS_REGION, ...hidden } = world.env
        secrets = Object.values(hidden)
        const { branch } = config.source
        const again = await startBuild({ ...common, source, event: await eventOf(source, "push", branch) })
        retry = again.result
        afterRetry = await lookAt(world)
        const proposed = await startBuild({
          ...common,
          source,
          event: await eventOf(source, "pull_request", branch),
        })
        pullRequest = proposed.result
        afterPullRequest = await lookAt(world)
      },
    })
  }, 900_000)

  test("a push is built and goes live, under the next version", () => {
    const { before, change, result, after } = seen
    expect([before.answer, after.answer]).toEqual(['200 {"version": "0.1.0"}', '200 {"version": "0.2.0"}'])
    expect(states(result)).toEqual(SUCCEEDED)
    expect(result.exported).toEqual({ VERSION: "0.2.0", IMAGE: after.image })
    expect(result.reports.unittest).toMatch(/^\d+ test cases: [1-9]\d* succeeded, 0 failed, 0 in error/)
    expect(after.gitTags).toContain(`v0.2.0 ${change.commit}`)
    expect(after.images.map(({ tags }) => tags[0])).toEqual(["0.1.0", "0.2.0"])
    expect(after.images[1]?.tags).toEqual(["0.2.0", change.commit])
    expect(after.image.endsWith(`@${after.images[1]?.digest}`)).toBe(true)
    expect(after.taskDefinition).not.toBe(before.taskDefinition)
  })

  test("the laptop finds the build's version and image, and changes nothing", () => {
    expect(seen.again).toMatch(/^unchanged: .* 0\.2\.0/)
    expect(seen.afterAgain).toEqual(seen.after)
  })

  test("a build that is retried finds them too", () => {
    expect(states(retry)).toEqual(SUCCEEDED)
    expect(retry.exported).toEqual(seen.result.exported)
    expect(afterRetry).toEqual(seen.after)
  })

  test("a pull request is tested, reported, and releases nothing", () => {
    expect(states(pullRequest)).toEqual(SUCCEEDED)
    expect(pullRequest.reports).toEqual(seen.result.reports)
    expect(pullRequest.exported).toEqual({})
    expect(afterPullRequest).toEqual(seen.after)
  })

  test("no secret is in the log", () => {
    expect(log).toContain("CODEBUILD_SRC_DIR")
    expect(secrets).toHaveLength(4)
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(8)
      expect(log.includes(secret)).toBe(false)
    }
  })

  test("the demonstration shows all of it, and nothing that differs from run to run", () => {
    const text = documentText(seen, "page.png")
    for (const part of [
      "v0.1.0 ",
      "v0.2.0 ",
      seen.change.commit,
      seen.after.taskDefinition,
      "linear-gradient",
      "](page.png)",
    ]) {
      expect(text).toContain(part)
    }
    expect(text.match(/\| same \|/g)).toHaveLength(5)
    expect(text).not.toMatch(/127\.0\.0\.1:\d|\/tmp\/|^time /m)
    expect(documentText({ ...seen, afterAgain: seen.before }, "page.png")).toContain("**differs**")
  })
})
