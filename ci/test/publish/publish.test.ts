import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { State } from "../../src/announce/announcer.js"
import { call } from "../../src/publish/api.js"
import { cutNotes, github } from "../../src/publish/github.js"
import { gitlab } from "../../src/publish/gitlab.js"
import type { PublishingHost } from "../../src/publish/host.js"
import { githubStandIn, gitlabStandIn, standIn } from "./stand-in.js"

const token = "token-of-a-test"
const commit = "a".repeat(40)
const to = { commit, branchOf: async () => "main", environment: "production", url: "https://example.com/" }
const release = (tag: string) => ({ tag, commit, notes: "### Features\n\n- a", isOneOfSeveral: false })
const states: State[] = [
  "started",
  "paused",
  "completed",
  "unchanged",
  "rolled back",
  "superseded",
  "timed out",
  "failed",
]

let onGithub: Awaited<ReturnType<typeof githubStandIn>>
let onGitlab: Awaited<ReturnType<typeof gitlabStandIn>>
beforeAll(async () => {
  onGithub = await githubStandIn(token)
  onGitlab = await gitlabStandIn(token)
})
afterAll(async () => {
  await onGithub.close()
  await onGitlab.close()
})

/** Each host with its words for the states, in the same order. GitLab takes none twice. */
const hosts: [string, () => PublishingHost, () => typeof onGithub, string[], string[]][] = [
  [
    "GitHub",
    () => github(onGithub.api, "team/web", token),
    () => onGithub,
    ["pending", "pending", "success", "success", "failure", "error", "error", "failure"],
    ["in_progress", "queued", "success", "success", "failure", "inactive", "error", "failure"],
  ],
  [
    "GitLab",
    () => gitlab(onGitlab.api, "team/sub/web", token, "oauth2"),
    () => onGitlab,
    ["running", "success", "failed", "canceled", "failed"],
    ["running", "running", "success", "success", "failed", "canceled", "failed", "failed"],
  ],
]

describe.each(hosts)("%s", (_, host, has, statuses, deploymentStates) => {
  test("takes every state as the commit's status and the deployment's, in one deployment", async () => {
    for (const state of states) {
      await host().status?.(commit, state, {
        ...{ context: "ecs-release/shop", description: `${state}\nmore lines ${"x".repeat(200)}` },
      })
      await host().deployment(to, state, { context: "c", description: "x".repeat(200) })
    }
    expect(has().deployments).toHaveLength(1)
    expect(has().deployments[0]?.states).toEqual(deploymentStates)
    expect(has().statuses.map(({ state }) => state)).toEqual(statuses)
  })

  test("makes a release once", async () => {
    expect(await host().findRelease("v1.2.0")).toBeUndefined()
    expect(await host().makeRelease(release("v1.2.0"))).toMatch(/^https:.*v1\.2\.0$/)
    expect(await host().findRelease("v1.2.0")).toMatch(/^https:.*v1\.2\.0$/)
    // Another run has just made it.
    expect(await host().makeRelease(release("v1.2.0"))).toBeUndefined()
  })

  test("a tag with a prefix is found too", async () => {
    await host().makeRelease({ ...release("api/v2.0.0"), isOneOfSeveral: true })
    expect(await host().findRelease("api/v2.0.0")).toMatch(/^https:/)
  })
})

test("GitLab's job token goes in its own header", async () => {
  const host = gitlab(onGitlab.api, "team/sub/web", token, "gitlab-ci-token")
  expect(host.status).toBeUndefined()
  await host.findRelease("v9.9.9")
  expect(onGitlab.asked.at(-1)?.headers).toMatchObject({ "job-token": token })
  expect(onGitlab.asked.at(-1)?.headers.authorization).toBeUndefined()
})

describe("what fails", () => {
  test("is told with the API's words, and without the token", async () => {
    const failed = github(onGithub.api, "team/web", "wrong-token").findRelease("v1.0.0")
    await expect(failed).rejects.toThrow(
      /refused GET \/api\/v3\/repos\/team\/web\/releases\/tags\/v1\.0\.0[\s\S]*401[\s\S]*Bad credentials/,
    )
    await expect(failed).rejects.not.toThrow(/wrong-token/)
  })

  test("a redirect is not followed, so that the token goes nowhere else", async () => {
    const elsewhere = await standIn(() => [302])
    await expect(call({ base: elsewhere.url, headers: {} }, "GET", "/x")).rejects.toThrow(/answered 302/)
    expect(elsewhere.asked).toHaveLength(1)
    await elsewhere.close()
  })

  test("a release that is refused for a reason other than that it exists", async () => {
    const refusing = await standIn(() => [
      422,
      { message: "Validation Failed", errors: [{ code: "custom" }] },
    ])
    const made = github(refusing.url, "team/web", token).makeRelease(release("v1.0.0"))
    await expect(made).rejects.toThrow(/answered 422[\s\S]*Validation Failed/)
    await refusing.close()
  })

  test("a host that is gone", async () => {
    const gone = await standIn(() => [200])
    await gone.close()
    await expect(call({ base: gone.url, headers: {} }, "GET", "/x")).rejects.toThrow(/ECONNREFUSED/)
  })
})

test("notes that GitHub would not take end after a whole line, with the number of the others", () => {
  expect(cutNotes("### Features\n\n- a\n")).toBe("### Features\n\n- a\n")
  const line = `- ${"x".repeat(98)}\n`
  const cut = cutNotes(line.repeat(2000))
  expect(cut.length).toBeLessThan(125_000)
  const [kept = "", more = ""] = cut.split("\n\n… and ")
  expect(kept.split("\n").every(it => it.length === 100)).toBe(true)
  expect(kept.split("\n").length + Number(more.match(/^\d+/))).toBe(2000)
})
