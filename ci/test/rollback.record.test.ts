import { DescribeServiceRevisionsCommand, ListServiceDeploymentsCommand } from "@aws-sdk/client-ecs"
import { afterEach, describe, expect, it, vi } from "vitest"
import { wasRolledBack } from "../src/ecs/rolled-back.js"
import {
  at,
  aws,
  definition,
  deployment,
  ecs,
  play,
  revision,
  service,
  settle,
  type World,
  where,
} from "./ecs/mock.js"

const note = (key: string, value = "2025-01-01T00:00:00.000Z") => ({ key: `ecs-release:${key}`, value })

afterEach(() => {
  vi.useRealTimers()
})

describe("whether a version was rolled back", () => {
  const ask = (version: string) => settle(wasRolledBack(aws, { ...where, version }))
  const world = (
    tags: { key: string; value: string }[],
    before = service([deployment("now", 1, {})]),
  ): World => ({
    before,
    definitions: [
      { definition: definition(1, "a", "1.0.0") },
      { definition: definition(2, "b", "1.1.0"), tags },
    ],
  })

  it("depends on the tag on its newest revision", async () => {
    play(world([note("rolled-back")]))
    expect(await ask("1.1.0")).toMatchObject({
      revision: revision(2),
      why: "1.1.0 was rolled back at 2025-01-01T00:00:00.000Z",
    })
  })

  it("depends on ECS's list if the run that should have set the tag was killed", async () => {
    const failed = deployment("bad", 2, { status: "ACTIVE", rolloutState: "FAILED" })
    play(world([], service([deployment("now", 1, {}), failed])))
    expect((await ask("1.1.0"))?.why).toBe("ECS rolled 1.1.0 back when its deployment failed")
  })

  it("depends on ECS's record", async () => {
    play(world([]))
    ecs.on(ListServiceDeploymentsCommand).resolves({
      serviceDeployments: [{ status: "ROLLBACK_SUCCESSFUL", targetServiceRevisionArn: "r2" }],
    })
    ecs.on(DescribeServiceRevisionsCommand).resolves({
      serviceRevisions: [{ serviceRevisionArn: "r2", taskDefinition: revision(2) }],
    })
    expect((await ask("1.1.0"))?.why).toContain("ECS rolled 1.1.0 back")
  })

  it("depends on the newest of ECS's records of it", async () => {
    play(world([]))
    ecs.on(ListServiceDeploymentsCommand).resolves({
      serviceDeployments: [
        { status: "ROLLBACK_SUCCESSFUL", targetServiceRevisionArn: "r2", createdAt: at(-900) },
        { status: "SUCCESSFUL", targetServiceRevisionArn: "r2", createdAt: at(-600) },
      ],
    })
    ecs.on(DescribeServiceRevisionsCommand).resolves({
      serviceRevisions: [{ serviceRevisionArn: "r2", taskDefinition: revision(2) }],
    })
    // It failed once and completed later: it was not rolled back by ECS, but an older version was deployed in its place.
    expect((await ask("1.1.0"))?.why).toBe("1.1.0 ran before, and 1.0.0 was deployed in its place")
  })

  it("is no if it is running, was only registered, or is unknown", async () => {
    play(world([note("rolled-back")]))
    expect(await ask("1.0.0")).toBeUndefined()
    expect(await ask("3.0.0")).toBeUndefined()
    play(world([]))
    expect(await ask("1.1.0")).toBeUndefined()
  })

  it("is no if it was deployed again and then replaced by a newer one", async () => {
    const scene = world([note("rolled-back")])
    scene.definitions.push(
      { definition: definition(3, "b", "1.1.0"), tags: [note("completed")] },
      { definition: definition(4, "c", "1.2.0") },
    )
    scene.before = service([deployment("now", 4, {})])
    play(scene)
    expect(await ask("1.1.0")).toBeUndefined()
  })
})
