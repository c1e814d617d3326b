import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  DescribeServiceRevisionsCommand,
  DescribeTaskDefinitionCommand,
  ListServiceDeploymentsCommand,
} from "@aws-sdk/client-ecs"
import { afterAll, describe, expect, test } from "vitest"
import { type PastDeployment, pastDeployments } from "../../src/ecs/past-deployment.js"
import { openService } from "../../src/ecs/service.js"
import { readTimes } from "../../src/git/log.js"
import { duration } from "../../src/lib/time.js"
import { measure } from "../../src/metrics/measure.js"
import { metricsEmf, metricsTable, parseWindow } from "../../src/metrics.js"
import { aws, definition, ecs, revision, where } from "../ecs/mock.js"
import { commitIn, git } from "../git/histories.js"
import { localHistory } from "../git/local-shell.js"

const minutes = (value: number) => new Date(Date.UTC(2026, 0, 10) + value * 60_000)
const window = { since: minutes(0), until: minutes(10 * 24 * 60) }

/** A deployment of a version that began and ended at these minutes. */
const deployed = (
  version: string,
  outcome: PastDeployment["outcome"],
  from: number,
  to?: number,
): PastDeployment => ({
  ...{ id: `${version}-${from}`, version, commit: `commit-${version}`, outcome, started: minutes(from) },
  ended: to === undefined ? undefined : minutes(to),
})
const of = (...deployments: PastDeployment[]) => measure("prod/web", deployments, window)

describe("what counts as a deployment of a new version", () => {
  test("one that completed; a restart brings nothing new", () => {
    const found = of(
      deployed("1.0.0", "completed", 10, 12),
      deployed("1.0.0", "completed", 20, 22),
      deployed("1.1.0", "completed", 30, 32),
    )
    expect(found.deploymentFrequency).toEqual({ deployments: 2, perDay: 0.2 })
    expect(found.changeFailureRate).toEqual({ rate: 0, failed: 0, of: 2 })
  })

  test("what ran before the window is known, and not counted", () => {
    const found = of(deployed("1.0.0", "completed", -10, -8), deployed("1.0.0", "completed", 20, 22))
    expect(found.deploymentFrequency.deployments).toBe(0)
  })

  test("what was stopped, replaced, or is still going on is not", () => {
    const found = of(
      deployed("1.0.0", "stopped", 10, 12),
      deployed("1.1.0", "superseded", 13, 14),
      deployed("1.2.0", "in progress", 20),
    )
    expect(found.changeFailureRate).toEqual({ rate: null, failed: 0, of: 0 })
    expect(found.timeToRestore).toEqual({ seconds: null, restored: 0, open: 0 })
  })
})

describe("failures and what it took to restore the service", () => {
  test("ECS rolled back: until the rollback's end", () => {
    const found = of(deployed("1.0.0", "completed", 0, 2), deployed("1.1.0", "rolled back", 10, 16))
    expect(found.changeFailureRate).toEqual({ rate: 0.5, failed: 1, of: 2 })
    expect(found.timeToRestore).toEqual({ seconds: 360, restored: 1, open: 0 })
  })

  test("somebody went back: the newer version counts as failed, and going back is not a new version", () => {
    const found = of(
      deployed("1.0.0", "completed", 0, 2),
      deployed("1.1.0", "completed", 10, 12),
      deployed("1.0.0", "completed", 40, 42),
    )
    expect(found.deploymentFrequency.deployments).toBe(2)
    expect(found.changeFailureRate).toEqual({ rate: 0.5, failed: 1, of: 2 })
    expect(found.timeToRestore).toEqual({ seconds: 1800, restored: 1, open: 0 })
  })

  test("failed and left like that: until the next one that completed, or not yet", () => {
    const failed = [deployed("1.0.0", "completed", 0, 2), deployed("1.1.0", "failed", 10, 16)]
    expect(of(...failed).timeToRestore).toEqual({ seconds: null, restored: 0, open: 1 })
    expect(of(...failed, deployed("1.1.1", "completed", 20, 25)).timeToRestore).toEqual({
      ...{ seconds: 900, restored: 1, open: 0 },
    })
  })

  test("a version that comes back is not new again", () => {
    const found = of(
      deployed("1.1.0", "completed", 0, 2),
      deployed("1.0.0", "completed", 10, 12),
      deployed("1.1.0", "completed", 20, 22),
    )
    expect(found.deploymentFrequency.deployments).toBe(1)
  })

  test("10.0.0 is newer than 9.0.0", () => {
    const found = of(deployed("9.0.0", "completed", 0, 2), deployed("10.0.0", "completed", 10, 12))
    expect(found.changeFailureRate.failed).toBe(0)
  })
})

test("lead time is the median over all commits that went live", () => {
  const times = new Map([
    ["commit-1.0.0", [minutes(0), minutes(5)]],
    ["commit-1.1.0", [minutes(20)]],
    ["commit-2.0.0", [minutes(-1000)]],
  ])
  const found = measure(
    "prod/web",
    [
      deployed("1.0.0", "completed", 8, 10),
      deployed("1.1.0", "completed", 28, 50),
      deployed("2.0.0", "rolled back", 60, 61),
    ],
    window,
    times,
  )
  expect(found.leadTime).toEqual({ seconds: 600, commits: 3 })
})

describe("what is printed", () => {
  const found = of(deployed("1.0.0", "completed", 0, 2), deployed("1.1.0", "rolled back", 10, 16))

  test("text says how each is counted", () => {
    expect(metricsTable([found])).toMatch(
      /^prod\/web, 2026-01-10 to 2026-01-20 \(10 days\)\ndeployment frequency +0\.1 a day +1 deployments.*\nlead time for changes +– .*\nchange failure rate +50 % +1 of 2 .*\ntime to restore +6 min +median of 1\n\nHow they are counted\n/,
    )
  })

  test("EMF follows its specification, and leaves out what cannot be counted", () => {
    const [line, ...rest] = metricsEmf([{ stage: "live", ...found }]).split("\n")
    expect(rest).toEqual([""])
    expect(JSON.parse(line ?? "")).toEqual({
      _aws: {
        Timestamp: window.until.getTime(),
        CloudWatchMetrics: [
          {
            Namespace: "ecs-release",
            Dimensions: [["Cluster", "Service", "Stage"]],
            Metrics: [
              { Name: "DeploymentFrequency", Unit: "Count" },
              { Name: "ChangeFailureRate", Unit: "Percent" },
              { Name: "TimeToRestore", Unit: "Seconds" },
            ],
          },
        ],
      },
      ...{ Cluster: "prod", Service: "web", Stage: "live", Days: 10 },
      ...{ DeploymentFrequency: 1, ChangeFailureRate: 50, TimeToRestore: 360 },
    })
  })

  test("a cluster may be an ARN", () => {
    const [line = ""] = metricsEmf([
      { ...found, service: "arn:aws:ecs:eu-north-1:111122223333:cluster/prod/web" },
    ]).split("\n")
    expect(JSON.parse(line)).toMatchObject({ Cluster: "prod", Service: "web" })
  })

  test.each([
    [null, "–"],
    [0.2, "0 s"],
    [59.6, "1 min"],
    [3725, "1 h 2 min"],
    [90_000, "1 d 1 h"],
    [86_401, "1 d"],
  ])("%s seconds are %s", (seconds, text) => expect(duration(seconds)).toBe(text))
})

describe("the window", () => {
  const now = new Date("2026-03-31T00:00:00Z")
  test("goes back 90 days at most, as ECS's record does", () => {
    expect(parseWindow("400d", "", now).since).toEqual(new Date("2025-12-31T00:00:00Z"))
    expect(() => parseWindow("2025-01-01", "2025-02-01", now)).toThrow(/is empty[\s\S]*90 days/)
    expect(() => parseWindow("1d", "2d", now)).toThrow(/is empty/)
    expect(() => parseWindow("1d", "x", now)).toThrow(/^--until does not accept "x"/)
  })
})

test("ECS's record is read page by page, and each revision once", async () => {
  ecs.reset()
  const record = (name: string, at: number, status: string) => ({
    ...{ serviceDeploymentArn: name, targetServiceRevisionArn: `revision-${name}`, status },
    ...{ createdAt: minutes(at), startedAt: minutes(at), finishedAt: minutes(at + 2) },
  })
  ecs.on(ListServiceDeploymentsCommand).callsFake(({ createdAt, nextToken, maxResults }) => {
    if (!createdAt.after) return { serviceDeployments: [record("before", -5, "SUCCESSFUL")] }
    expect(maxResults).toBe(100)
    return nextToken
      ? { serviceDeployments: [record("a", 5, "SUCCESSFUL")] }
      : { serviceDeployments: [record("b", 10, "ROLLBACK_SUCCESSFUL")], nextToken: "more" }
  })
  ecs.on(DescribeServiceRevisionsCommand).resolves({
    serviceRevisions: [
      { serviceRevisionArn: "revision-before", taskDefinition: revision(1) },
      { serviceRevisionArn: "revision-a", taskDefinition: revision(2) },
      { serviceRevisionArn: "revision-b", taskDefinition: revision(2) },
    ],
  })
  ecs
    .on(DescribeTaskDefinitionCommand)
    .callsFake(({ taskDefinition }) =>
      taskDefinition === revision(1)
        ? { taskDefinition: definition(1, "a", "1.0.0") }
        : { taskDefinition: definition(2, "b", "1.1.0") },
    )
  const found = await pastDeployments(await openService(aws, where), window)
  expect(found.map(({ id, version, outcome }) => [id, version, outcome])).toEqual([
    ["before", "1.0.0", "completed"],
    ["a", "1.1.0", "completed"],
    ["b", "1.1.0", "rolled back"],
  ])
  expect(ecs.commandCalls(DescribeTaskDefinitionCommand)).toHaveLength(2)
})

describe("the times of the commits in a deployment", () => {
  const folder = mkdtempSync(join(tmpdir(), "metrics-"))
  afterAll(() => rmSync(folder, { recursive: true }))

  test("each counts for the first deployment that had it, and one that is not there is left out", async () => {
    git(folder, ["init", "-q", "-b", "main"])
    const commit = (second: number) => {
      commitIn(folder, "feat: x", `@${1_700_000_000 + second} +0000`)
      return git(folder, ["rev-parse", "HEAD"])
    }
    const [first, , third] = [commit(0), commit(60), commit(120)] as [string, string, string]
    const { shell } = await localHistory(folder)
    const found = await readTimes(shell, [first, "f".repeat(40), third, first], "")
    const at = (second: number) => new Date((1_700_000_000 + second) * 1000)
    expect([...found]).toEqual([
      [first, [at(0)]],
      [third, [at(120), at(60)]],
    ])
  })
})
