import {
  DescribeServiceDeploymentsCommand,
  DescribeServiceRevisionsCommand,
  ListServiceDeploymentsCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { describe, expect, it } from "vitest"
import { bringing, eachTest, lines, old, oldActive, run, world } from "../deploy.scene.js"
import { at, ecs, play, rejection, revision, service, settle } from "./mock.js"

eachTest()

/** ECS's record of the deployment of revision 2, as it is from so many seconds on. */
function recorded(...states: [from: number, state: object][]): void {
  const now = () => {
    const seconds = (Date.now() - at(0).getTime()) / 1000
    const record = { serviceDeploymentArn: "sd/2", status: "IN_PROGRESS", createdAt: at(0) }
    return { ...record, ...states.filter(([from]) => from <= seconds).at(-1)?.[1] }
  }
  ecs.on(ListServiceDeploymentsCommand).callsFake(() => ({
    serviceDeployments: [{ ...now(), targetServiceRevisionArn: "r2" }],
  }))
  ecs.on(DescribeServiceRevisionsCommand).resolves({
    serviceRevisions: [{ serviceRevisionArn: "r2", taskDefinition: revision(2) }],
  })
  ecs.on(DescribeServiceDeploymentsCommand).callsFake(() => ({ serviceDeployments: [now()] }))
}

describe.each(["LINEAR", "CANARY"] as const)("a %s deployment", strategy => {
  const shifting = { deploymentConfiguration: { strategy } }
  const both = service([bringing({ runningCount: 2 }), oldActive], shifting)

  it("is followed stage by stage, with the traffic that the new tasks get", async () => {
    const done = service([bringing({ runningCount: 2, rolloutState: "COMPLETED" })], shifting)
    play({
      ...world([
        [0, both],
        [60, done],
      ]),
      before: service([old], shifting),
    })
    const traffic = (weight: number) => ({
      targetServiceRevision: { arn: "r2", requestedProductionTrafficWeight: weight },
    })
    recorded(
      [0, { lifecycleStage: "SCALE_UP" }],
      [10, { lifecycleStage: "PRODUCTION_TRAFFIC_SHIFT", ...traffic(10) }],
      [30, { lifecycleStage: "PRODUCTION_TRAFFIC_SHIFT", ...traffic(100) }],
      [45, { lifecycleStage: "BAKE_TIME", ...traffic(100) }],
      [60, { status: "SUCCESSFUL" }],
    )
    expect((await settle(run())).word).toBe("completed")
    const said = lines.join("\n")
    expect(said).toMatch(
      /stage SCALE_UP: new tasks start[\s\S]*production traffic on the new tasks: 10 %[\s\S]*100 %[\s\S]*stage BAKE_TIME/,
    )
  })

  it("that alarms stop names them", async () => {
    play({
      ...world([
        [0, both],
        [30, service([old], shifting)],
      ]),
      before: service([old], shifting),
    })
    recorded(
      [0, {}],
      [
        30,
        {
          status: "ROLLBACK_SUCCESSFUL",
          statusReason: "an alarm",
          alarms: { triggeredAlarmNames: ["errors", "latency"] },
        },
      ],
    )
    const { message } = await rejection(run())
    expect(message).toMatch(/^rolled back: /)
    expect(message).toContain("an alarm; alarms went off: errors, latency")
  })
})

it("a deployment that completes early says that old tasks are still being stopped", async () => {
  const early = {
    deploymentConfiguration: {
      earlySuccessCriteria: {
        enable: true,
        healthyPercent: 100,
        sourceServiceRevisionCleanup: "DEFERRED" as const,
      },
    },
  }
  const done = bringing({ runningCount: 2, rolloutState: "COMPLETED" })
  play({
    ...world([[0, service([done, { ...oldActive, runningCount: 1 }], early)]]),
    before: service([old], early),
  })
  expect((await settle(run())).text).toMatch(
    /^completed: prod\/web runs 1\.1\.0: 2 of 2 running; ECS is still stopping 1 old task, after/,
  )
})

it("an Express service is refused: ECS manages its task definition", async () => {
  play({ ...world([]), before: service([old], { resourceManagementType: "ECS" }) })
  expect((await rejection(run())).message).toMatch(
    /^The service "web" in cluster "prod" is an Express service: /,
  )
  expect(ecs.commandCalls(UpdateServiceCommand)).toEqual([])
})
