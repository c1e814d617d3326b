import {
  DescribeServicesCommand,
  RegisterTaskDefinitionCommand,
  TagResourceCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { describe, expect, it } from "vitest"
import { planDeploy } from "../src/deploy.js"
import { commit, eachTest, lines, release, run, world } from "./deploy.scene.js"
import { at, aws, definition, deployment, ecs, image, play, revision, service, settle } from "./ecs/mock.js"

eachTest()

describe("nothing to do, or done already", () => {
  const same = (state: object) =>
    world([], {
      before: service([deployment("now", 1, state)]),
      definitions: [{ definition: definition(1, "b", "1.1.0") }],
    })

  it("leaves alone a service that already runs the image and version", async () => {
    play(same({}))
    const outcome = await settle(run())
    expect(outcome.text).toBe("unchanged: prod/web already runs 1.1.0 (web:1)")
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
    expect(lines).toEqual([])
  })

  it("follows the deployment that an interrupted run left, and does not start a second", async () => {
    const left = { rolloutState: "IN_PROGRESS", runningCount: 1, createdAt: at(-30) } as const
    const scene = same(left)
    const events = [
      { id: "2", message: "(service web) has started 1 tasks", createdAt: at(-20) },
      { id: "1", message: "(service web) of long ago", createdAt: at(-900) },
    ]
    scene.before = service([deployment("now", 1, left)], { events })
    play(scene)
    let looks = 0
    ecs.on(DescribeServicesCommand).callsFake(() => {
      looks += 1
      return {
        services: [looks < 5 ? scene.before : service([deployment("now", 1, { createdAt: at(-30) })])],
      }
    })
    const outcome = await settle(run())
    expect(outcome).toMatchObject({ word: "completed", deploymentId: "ecs-svc/now" })
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
    expect(lines[0]).toContain("deployment ecs-svc/now is already deploying 1.1.0; following it")
    expect(lines.join("\n")).toContain("has started 1 tasks")
    expect(lines.join("\n")).not.toContain("long ago")
  })

  it("starts the same revision again if its deployment failed and stayed", async () => {
    const scene = same({ rolloutState: "FAILED", runningCount: 0 })
    scene.updated = [[0, service([deployment("again", 1, {})])]]
    play(scene)
    await expect(settle(run())).resolves.toMatchObject({ word: "completed", deploymentId: "ecs-svc/again" })
    expect(ecs.commandCalls(UpdateServiceCommand)[0]?.args[0].input).toMatchObject({
      forceNewDeployment: true,
    })
  })

  it("uses the revision that an interrupted run registered", async () => {
    const scene = world([[0, service([deployment("new", 2, {})])]])
    scene.definitions.push({
      definition: definition(2, "b", "1.1.0"),
      tags: [
        { key: "ecs-release:version", value: "1.1.0" },
        { key: "ecs-release:commit", value: commit },
      ],
    })
    play(scene)
    await settle(run())
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
    expect(lines).toContain("reusing web:2")
  })

  it("registers its own if the existing one is from another commit", async () => {
    const scene = world([[0, service([deployment("new", 3, {})])]])
    const tags = [{ key: "ecs-release:version", value: "1.1.0" }]
    scene.definitions.push({ definition: definition(2, "b", "1.1.0"), tags })
    play(scene)
    await settle(run())
    expect(lines).toContain("registered web:3")
  })

  it("notes that the previous revision completed, if the run that deployed it could not", async () => {
    const scene = world([[0, service([deployment("new", 2, {})])]])
    scene.definitions[0] = {
      definition: definition(1, "a", "1.0.0"),
      tags: [{ key: "ecs-release:version", value: "1.0.0" }],
    }
    play(scene)
    await settle(run())
    expect(ecs.commandCalls(TagResourceCommand)[0]?.args[0].input.resourceArn).toBe(revision(1))
  })

  it("plans without changing anything", async () => {
    play(world([]))
    const plan = await planDeploy(aws, release)
    expect(plan.text.split("\n")).toEqual([
      "prod/web: changes to web:1:",
      `  - app.image: ${image("a")}`,
      `  + app.image: ${image("b")}`,
      "  - app.environment.APP_VERSION: 1.0.0",
      "  + app.environment.APP_VERSION: 1.1.0",
    ])
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
  })
})
